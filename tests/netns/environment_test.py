#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whatever the environment says: no library obeys it, and no secret gets into the log or a file.

At boot a NAME=VALUE of the kernel command line becomes such a variable. The server keeps the secrets of its TLS sessions
(SSLKEYLOGFILE), so that what is looked for is what was really used.
"""

import hashlib
import hmac
import os
import re

import netns_case
import secret_search
from netns_case import PASSWORD
from secret_search import Secret

# By library, what its source reads by getenv(3) or secure_getenv(3); PLACE is a directory in which everybody may write.
# A value that would make the library fail, or say something, where there is one.
VARIABLES = {
    "GnuTLS": {"GNUTLS_DEBUG_LEVEL": "99", "SSLKEYLOGFILE": "PLACE/sslkeylog", "GNUTLS_SYSTEM_PRIORITY_FILE": "/nonexistent",
               "GNUTLS_SYSTEM_PRIORITY_FAIL_ON_INVALID": "1", "GNUTLS_NO_IMPLICIT_INIT": "1", "GNUTLS_NO_EXPLICIT_INIT": "1",
               "GNUTLS_CPUID_OVERRIDE": "0x1", "GNUTLS_FORCE_FIPS_MODE": "1", "GNUTLS_SKIP_FIPS_INTEGRITY_CHECKS": "1",
               "GNUTLS_PKCS11_PROVIDER": "/nonexistent", "GNUTLS_DTLS_TIMEOUT": "1"},
    "nettle": {"NETTLE_FAT_VERBOSE": "1", "NETTLE_FAT_OVERRIDE": "vendor:other"},
    "p11-kit": {"P11_KIT_DEBUG": "all", "P11_KIT_STRICT": "1", "P11_KIT_NO_USER_CONFIG": "1"},
    "GPGME": {"GPGME_DEBUG": "9:PLACE/gpgme", "GPG_AGENT_INFO": "PLACE/agent:1:1", "GNUPGHOME": "PLACE", "GPG_TTY": "/dev/null",
              "DISPLAY": ":9", "PINENTRY_USER_DATA": "x"},
    "libassuan": {"ASSUAN_DEBUG": "255", "ASSUAN_FULL_LOGGING": "1"},
    "libgpg-error": {"GPGRT_TRACE_FILE": "PLACE/gpgrt", "HOME": "PLACE", "GPGRT_CONFDIR": "PLACE"},
    "libgcrypt": {"GCRYPT_DISABLE_HWF": "all", "GCRYPT_BARRETT": "1", "LIBGCRYPT_FORCE_FIPS_MODE": "1"},
    "libevent": {"EVENT_SHOW_METHOD": "1", "EVENT_NOEPOLL": "1", "EVENT_NOPOLL": "1", "EVENT_NOSELECT": "1", "EVENT_PRECISE_TIMER": "1",
                 "EVENT_EPOLL_USE_CHANGELIST": "1", "EVENT_DEBUG_MODE": "1"},
    "libffi": {"LIBFFI_TMPDIR": "PLACE"},
    "libstdc++": {"GLIBCXX_DEBUG_MESSAGE_LENGTH": "9", "GLIBCXX_TUNABLES": "glibcxx.eh_pool.obj_count=1", "TMPDIR": "PLACE"},
    "glibc": {"GLIBC_TUNABLES": "glibc.malloc.perturb=165:glibc.malloc.check=3:glibc.malloc.mxfast=0", "MALLOC_PERTURB_": "165",
              "MALLOC_CHECK_": "3", "MALLOC_TRACE": "PLACE/mtrace", "MALLOC_TOP_PAD_": "1", "MALLOC_ARENA_MAX": "1",
              "MALLOC_ARENA_TEST": "1", "MALLOC_MMAP_MAX_": "0", "MALLOC_MMAP_THRESHOLD_": "1", "MALLOC_TRIM_THRESHOLD_": "1",
              "RES_OPTIONS": "debug", "LOCALDOMAIN": "evil.example", "HOSTALIASES": "PLACE/aliases", "RESOLV_HOST_CONF": "PLACE/hosts",
              "RESOLV_MULTI": "on", "GCONV_PATH": "PLACE", "LOCPATH": "PLACE", "NLSPATH": "PLACE/%N", "LANGUAGE": "PLACE", "LANG": "PLACE",
              "LC_ALL": "PLACE", "OUTPUT_CHARSET": "UTF-7", "TZ": ":PLACE/zone", "TZDIR": "PLACE", "POSIXLY_CORRECT": "1",
              "ARGP_HELP_FMT": "rmargin=9", "GETCONF_DIR": "PLACE", "LIBC_FATAL_STDERR_": "1", "MSGVERB": "text", "SEV_LEVEL": "x,9,y"},
    "ld.so": {"LD_PROFILE": "libgnutls.so.30", "LD_PROFILE_OUTPUT": "PLACE", "LD_DEBUG": "files", "LD_DEBUG_OUTPUT": "PLACE/ld",
              "LD_BIND_NOW": "1", "LD_DYNAMIC_WEAK": "1", "LD_HWCAP_MASK": "0"},
    "others": {"PATH": "PLACE", "NOTIFY_SOCKET": "PLACE/socket", "LISTEN_FDS": "3", "PAGER": "PLACE/pager", "TMP": "PLACE",
               "XDG_RUNTIME_DIR": "PLACE", "DBUS_SYSTEM_BUS_ADDRESS": "unix:path=PLACE/bus", "http_proxy": "http://192.0.2.9:1"},
}
# What the loader writes before a program begins is none of the program's, and has no secrets.
LOADERS_FILES = re.compile(r"ld\.[0-9]+|lib.*\.profile")


def tls_secrets(path):
    """All secrets of the sessions in a key log, and the keys that records are encrypted with (RFC 8446, 7.1 and 7.3)."""
    found = []
    with open(path) as log:
        for line in log:
            name, _random, value = line.split()
            secret = bytes.fromhex(value)
            found.append(Secret(name, secret))
            algorithm = {32: hashlib.sha256, 48: hashlib.sha384}[len(secret)]
            for size in (16, 32):
                label = b"tls13 key"
                info = size.to_bytes(2, "big") + bytes([len(label)]) + label + b"\0"
                found.append(Secret(f"key of {name}", hmac.new(secret, info + b"\1", algorithm).digest()[:size]))
    return found


class EnvironmentTest(netns_case.NetnsCase):
    seconds = 400  # dozens of runs

    def setUp(self):
        super().setUp()
        self.keys = self.lab.keys()
        self.key_log = self.lab.file("key-log", "")
        os.chmod(self.key_log, 0o666)
        os.chmod(self.lab.directory, 0o755)
        self.server = self.lab.mandos([self.keys.section(PASSWORD)], start=False, own=True)
        self.server.host.environment["SSLKEYLOGFILE"] = self.key_log
        self.server.start()
        self.client = self.lab.client()
        self.place = self.lab.path("told", "")
        os.makedirs(self.place, exist_ok=True)
        os.chmod(self.place, 0o777)

    def unlock(self, variables, *options):
        """A run with these variables that must get the password and tell nobody anything; its Result."""
        os.truncate(self.key_log, 0)
        environment = {name: value.replace("PLACE", self.place.rstrip("/")) for name, value in variables.items()}
        result = self.run_bootkey(self.client, *self.keys.options, *options, environment={**self.sanitizers(), **environment})
        self.assert_password(result)
        secrets = [Secret("the password", PASSWORD), *tls_secrets(self.key_log)]
        self.assertGreaterEqual(len(secrets), 1 + 4 * 3, "the server has kept no secrets of the session")
        said = result.errors.encode()
        self.assertEqual([secret.name for secret in secrets if secret.in_text(said)], [])
        for name in os.listdir(self.place):
            self.assertRegex(name, LOADERS_FILES, f"a file was written: {variables}")
            with open(os.path.join(self.place, name), "rb") as file:
                text = file.read()
            self.assertEqual([secret.name for secret in secrets if secret.in_text(text)], [])
            os.remove(os.path.join(self.place, name))
        return result

    def sanitizers(self):
        return {name: value for name, value in self.client.environment.items() if name.endswith("SAN_OPTIONS")}

    def test_no_variable_that_is_read_early_or_gives_secrets_away_does_anything(self):
        for library in ("GnuTLS", "nettle", "p11-kit", "GPGME", "libassuan", "ld.so"):
            for name, value in VARIABLES[library].items():
                with self.subTest(f"{library}: {name}={value}"):
                    self.unlock({name: value})

    def test_no_library_does_what_its_variables_say(self):
        for library, variables in VARIABLES.items():
            with self.subTest(library):
                self.unlock(variables)

    def test_all_at_once(self):
        everything = {name: value for variables in VARIABLES.values() for name, value in variables.items()}
        before = self.client.state()
        self.unlock(everything)
        self.unlock(everything, "--no-sandbox")  # so that no file is kept from being written by anything else
        self.client.check_unchanged(before)

    def test_the_log_level_of_gnutls_changes_nothing(self):
        def kinds(result):
            """The lines, without what differs from run to run."""
            return sorted({re.sub(r"[0-9]+", "N", re.sub(r"^bootkey: +[0-9.]+ ", "", line)) for line in result.errors.splitlines()})

        without = self.unlock({}, "--verb=1")
        for level in ("2", "9", "10", "99", "-1", "x"):
            self.assertEqual(kinds(self.unlock({"GNUTLS_DEBUG_LEVEL": level}, "--verb=1")), kinds(without))
        self.assertNotIn("gnutls", without.errors.lower())

    def test_nothing_that_is_asked_for_shows_a_key(self):
        for options in (["--debug"], ["--verb=15"], ["--debug", "--verb=15"]):
            for variables in ({}, {"GNUTLS_DEBUG_LEVEL": "99"}):
                self.unlock(variables, *options)
        self.assertRegex(self.unlock({}, "--debug").errors, "(?i)gnutls")

    def test_the_other_modes_get_none_either(self):
        every = {name: value.replace("PLACE", self.place.rstrip("/")) for variables in VARIABLES.values()
                 for name, value in variables.items() if not name.startswith("LD_")}
        password = self.lab.file("password", PASSWORD)
        for options in (["--version"], ["--enroll", f"--password-file={password}", *self.keys.options],
                        [f"--generate-keys={self.lab.path('made')}"]):
            with self.subTest(options[0]):
                result = self.client.run([self.bootkey, *options], environment={**self.sanitizers(), **every})
                self.assertEqual(result.status, 0, result)
                self.assertNotIn(PASSWORD.decode(), result.errors)
                self.assertNotRegex(result.errors, "(?i)gnutls|nettle|p11|gpgme|assuan")
                self.assertEqual(os.listdir(self.place), [])


if __name__ == "__main__":
    netns_case.main()

#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Set-user-ID use: what plugin-runner does works, and what a local user may try beyond it gets nothing.

The plugin is a copy of the program, 4755 and root's, in a root directory laid out as in the initial RAM disk. It is
started by the user nobody there, who wants to read what only root can, to write or run something as root, or to keep
root's process from ending.
"""

import contextlib
import ctypes
import os
import re
import resource
import signal
import subprocess

import lab
import netns_case
import plugin_case
from netns_case import PASSWORD
from plugin_case import HOOKS, KEYS, NOBODY, PLUGIN, ROOT, SECRET, SECRET_TEXT

_libc = ctypes.CDLL(None, use_errno=True)

LOW_LIMITS = {resource.RLIMIT_FSIZE: 0, resource.RLIMIT_NOFILE: 12, resource.RLIMIT_MEMLOCK: 0, resource.RLIMIT_NPROC: 0,
              resource.RLIMIT_CPU: 1, resource.RLIMIT_STACK: 1 << 18, resource.RLIMIT_CORE: 0, resource.RLIMIT_DATA: 1 << 24}
CAP_SYS_RESOURCE = 24  # <linux/capability.h>


def lower_limits(for_good):
    """Leave little; `for_good`: also as what the process may raise its limits to."""
    for limit, value in LOW_LIMITS.items():
        resource.setrlimit(limit, (value, value if for_good else resource.getrlimit(limit)[1]))


def nothing():
    """The trick of a caller who plays none."""


class SetUserIdTest(plugin_case.PluginCase):
    def plugin(self, *options, trick=nothing, **process_options):
        """Start the plugin as nobody, who has just called trick(); a namespaces.Process."""
        def become_caller():
            os.chroot(ROOT)
            os.chdir("/")
            os.setgroups([])
            os.setgid(NOBODY)
            os.setuid(NOBODY)
            trick()

        process = self.client.start([PLUGIN, *options], prepare=become_caller, **process_options)
        self.addCleanup(process.kill)
        return process

    def searching(self, *options, **process_options):
        """A plugin that looks for servers and finds none."""
        process = self.plugin(*options, **process_options)
        lab.wait_until(self.client.link_local, "an address")
        return process

    def refused(self, status, *options, words=(), **process_options):
        """A start that ends with this status, tells nothing, and leaves nothing; what it said."""
        before = self.client.state()
        result = self.plugin(*options, **process_options).finish()
        self.assertEqual((result.status, result.output), (status, b""), f"{options}: {result}")
        self.assertNotIn(SECRET_TEXT, result.errors)
        for word in words:
            self.assertIn(word, result.errors)
        self.client.check_unchanged(before)
        return result.errors

    def unlocks(self, *options, trick=nothing, **process_options):
        """A start that gets the password and leaves nothing; the result."""
        before = self.client.state()
        result = self.plugin(*options, trick=trick, **process_options).finish()
        self.assert_password(result)
        self.client.check_unchanged(before)
        return result

    def skip_with_sanitizers(self, why):
        with open(self.bootkey, "rb") as program:
            if b"__ubsan_" in program.read():
                self.skipTest(why)

    def serve(self):
        return self.lab.mandos([self.keys.section(PASSWORD)])

    # -- what plugin-runner does

    def test_unlocks_as_plugin_runner_starts_it(self):
        self.serve()
        self.make_root()
        self.unlocks()
        self.unlocks(f"--pubkey={KEYS}/pubkey.txt", f"--seckey={KEYS}/seckey.txt", f"--tls-pubkey={KEYS}/tls-pubkey.pem",
                     f"--tls-privkey={KEYS}/tls-privkey.pem", f"--network-hook-dir={HOOKS}", "--interface=eth0",
                     "--delay=1", "--retry=1", "--debug")

    def test_the_caller_ends_it_and_all_is_put_back(self):
        self.make_root()
        for number in (signal.SIGTERM, signal.SIGINT):
            with self.subTest(number):
                before = self.client.state()
                process = self.searching()
                self.assertTrue(os.path.exists(f"/proc/{process.pid}/root/run/bootkey/journal"))
                subprocess.run(["kill", f"-{number.value}", str(process.pid)], user=NOBODY, check=True)
                self.assertEqual(process.finish(10).status, -number)
                self.client.check_unchanged(before)

    def test_hooks_are_run_by_root_alone(self):
        self.serve()
        self.make_root()
        self.hook("exec >/run/hook-says; id -u; id -g; id -G; pwd; umask; ulimit -f; ulimit -c; nice; "
                  "cut -f2- -d= /proc/self/environ >/dev/null; tr '\\0' '\\n' </proc/$$/environ")

        def spoil():
            os.umask(0)
            os.nice(10)
            resource.setrlimit(resource.RLIMIT_FSIZE, (0, resource.RLIM_INFINITY))
            os.chdir("/tmp")

        self.in_root(": >/run/hook-says")
        result = self.plugin(trick=spoil, environment={"ENV": "/tmp/evil", "PATH": "/tmp"}).finish()
        self.assert_password(result)
        says = self.in_root("cat /run/hook-says").splitlines()
        self.assertEqual(says[:8], ["0", "0", "0", "/", "0022", "unlimited", "0", "0"])
        self.assertEqual({line.split("=")[0] for line in says[8:]},
                         {"PATH", "MANDOSNETHOOKDIR", "DEVICE", "MODE", "VERBOSITY", "DELAY"})
        self.assertNotIn("/tmp", "".join(says))

    # -- reading what only root can

    def test_files_elsewhere_are_not_read(self):
        self.make_root()
        for path in (SECRET, "/run/../run/secret", f"{KEYS}/../../../run/secret", f"{KEYS}-not/key", "run/secret",
                     f"{KEYS}/..", KEYS[1:] + "/seckey.txt", "/proc/self/environ", "/dev/stdin", "/etc/shadow"):
            for options in ([f"--pubkey={path}"], [f"--seckey={path}"], ["-s", path], [f"-p{path}"], [f"--sec={path}"],
                            [f"--tls-pubkey={path}", f"--tls-privkey={KEYS}/tls-privkey.pem"],
                            ["-T", f"{KEYS}/tls-pubkey.pem", "-t", path], [f"--dh-params={path}"],
                            [f"--seckey={KEYS}/seckey.txt", f"--seckey={path}"]):
                with self.subTest(options=options):
                    result = self.plugin("--debug", *options).finish()
                    self.assertEqual((result.status, result.output), (77, b""), result)
                    self.assertNotIn(SECRET_TEXT, result.errors)

    def test_whether_a_file_elsewhere_exists_is_not_told(self):
        self.make_root()
        told = self.refused(77, "--seckey=/run/secret")
        self.assertEqual(told, self.refused(77, "--seckey=/run/absent").replace("absent", "secret"))

    def test_links_out_of_the_key_directory_are_not_followed(self):
        self.make_root()
        for script in (f"ln -sf {SECRET} {KEYS}/seckey.txt", f"ln -sf ../../../run/secret {KEYS}/seckey.txt",
                       f"ln -sf {SECRET} {KEYS}/tls-privkey.pem", f"ln -sf /run/absent {KEYS}/pubkey.txt"):
            with self.subTest(script):
                self.in_root(f"cp -a {KEYS} {KEYS}.kept; {script}")
                self.refused(77, words=["symbolic link"])
                self.in_root(f"rm -r {KEYS}; mv {KEYS}.kept {KEYS}")
        self.in_root(f"ln -s /run {KEYS}/sub")
        self.refused(77, f"--dh-params={KEYS}/sub/secret", words=["symbolic link"])
        self.in_root("mv /conf/conf.d /conf/real; ln -s real /conf/conf.d")
        self.refused(77, words=["symbolic link", "/conf/conf.d"])

    def test_a_key_directory_that_others_can_change_is_not_used(self):
        self.make_root()
        for path in (KEYS, "/conf/conf.d", "/conf", "/"):
            for change in (f"chown {NOBODY}", "chmod o+w,+t", f"chmod g+w {path}; chgrp {NOBODY}"):
                with self.subTest(path=path, change=change):
                    owner, mode = self.in_root(f"stat -c '%u:%g %a' {path}").split()
                    self.in_root(f"{change} {path}")
                    self.refused(77, words=["others than root"])
                    self.in_root(f"chown {owner} {path}; chmod {mode} {path}")

    def test_keys_elsewhere_are_not_found(self):
        self.client.private_etc()
        self.make_root()
        self.in_root(f"mkdir -p /etc/keys/bootkey /etc/keys/mandos; cp {KEYS}/* /etc/keys/bootkey; cp {KEYS}/* /etc/keys/mandos")
        self.in_root(f"rm {KEYS}/seckey.txt")
        self.refused(66, words=[KEYS])
        self.refused(66, f"--pubkey={KEYS}/pubkey.txt", words=[KEYS])

    def test_a_wrong_file_in_the_key_directory_is_not_told(self):
        self.make_root()
        self.in_root(f"cp {SECRET} {KEYS}/other")
        other = f"{KEYS}/other"
        for options in ([f"--pubkey={KEYS}/absent"], [f"--seckey={other}"], ["--tls-pubkey=" + other, "--tls-privkey=" + other],
                        [f"--pubkey={KEYS}/pubkey.txt/"], [f"--seckey={KEYS}"]):
            with self.subTest(options=options):
                self.refused(66, "--debug", *options)

    def test_the_configuration_file_is_not_read(self):
        self.client.private_etc()
        self.make_root()
        self.in_root(f"mkdir -p /etc/bootkey; cp {SECRET} /etc/bootkey/bootkey.conf")
        process = self.searching()  # root's own start would be refused with 64
        process.terminate()
        self.refused(77, f"--config={SECRET}")
        self.refused(77, "--config=")
        self.assertEqual(self.client.run([self.bootkey]).status, 64)

    def test_priority_strings_read_no_file(self):
        self.make_root()
        for value in (f"@{SECRET}", "@FILE:/run/secret", f"@SYSTEM,{SECRET}", f"SECURE128:@{SECRET}", SECRET):
            with self.subTest(value):
                self.refused(64, f"--priority={value}")

    def test_other_modes_and_options_are_refused(self):
        self.make_root()
        for options in (["--restore"], ["--generate-keys=/tmp/keys"], ["--generate-keys"], ["--enroll"], ["--enroll=script"],
                        ["--enroll", f"--password-file={SECRET}"], ["--server=192.0.2.1:1"], ["--verb=15"],
                        ["--network-hook-timeout=1"], ["--management=unix:/run/management"], ["--management-client"], ["--gen"], ["--rest"]):
            with self.subTest(options=options):
                self.refused(77, *options)

    def test_no_text_that_could_be_taken_for_a_password(self):
        self.make_root()
        for options in (["--help"], ["-?"], ["--usage"], ["--version"], ["-V"], ["--vers"], ["--HANG=5"], ["--program-name=x"]):
            with self.subTest(options=options):
                self.refused(64, *options)

    def test_the_caller_cannot_look_into_it(self):
        self.make_root()
        process = self.searching()
        with open(f"/proc/{process.pid}/limits") as limits:
            self.assertRegex(limits.read(), r"Max core file size +0 +0 ")
        for name in ("mem", "environ", "maps", "fd/0", "cwd", "root/run/secret"):
            with self.subTest(name):
                looked = subprocess.run(["head", "-c1", f"/proc/{process.pid}/{name}"], user=NOBODY, group=NOBODY,
                                        extra_groups=[], capture_output=True)
                self.assertNotEqual(looked.returncode, 0)
        attached = subprocess.run(["strace", "-p", str(process.pid)], user=NOBODY, capture_output=True, timeout=10)
        self.assertNotEqual(attached.returncode, 0)
        process.terminate()

    # -- writing and running as root

    def test_hooks_elsewhere_are_not_run(self):
        self.make_root()
        self.hook(": >/run/evil", "/tmp/hooks/hook")
        self.hook(": >/run/evil", HOOKS + "/sub/hook")
        self.in_root(f"chown -R {NOBODY} /tmp/hooks; ln -s /usr/bin {HOOKS}/link")
        for path in ("/tmp/hooks", "/usr/bin", HOOKS + "/sub", HOOKS + "/link", HOOKS + "/../network-hooks.d",
                     HOOKS + "/../../../tmp/hooks", "tmp/hooks", "", "/lib/mandos", "/proc/self/cwd/tmp/hooks"):
            with self.subTest(path):
                self.refused(77, f"--network-hook-dir={path}")

    def test_a_hook_directory_that_others_can_replace_is_not_used(self):
        self.make_root()
        self.hook(": >/run/evil")
        for path in ("/lib/mandos", "/lib"):
            with self.subTest(path):
                self.in_root(f"chown {NOBODY} {path}")
                self.refused(77, words=["others than root"])
                self.in_root(f"chown 0 {path}")

    def test_hooks_that_others_can_change_are_not_run(self):
        self.serve()
        self.make_root()
        self.hook(": >/run/evil")
        for change in (f"chown {NOBODY} {HOOKS}/hook", f"chown 0 {HOOKS}/hook; chmod 777 {HOOKS}/hook",
                       f"chmod 755 {HOOKS}/hook; chown {NOBODY} {HOOKS}"):
            with self.subTest(change):
                self.in_root(change)
                self.assertIn("hooks", self.unlocks().errors)

    def test_no_value_makes_a_careless_hook_run_something(self):
        self.make_root()
        self.hook('cd /run; eval "true $DEVICE $CONNECT $DELAY"')
        for option in ("--interface=$(>evil)", "--interface=;>evil", "--interface=eth0,`>evil`", "--interface=|tee&",
                       "--connect=[fe80::1%$(>evil)]:1", "--delay=1;>evil"):
            with self.subTest(option):
                self.refused(77, option)

    def test_the_environment_changes_nothing(self):
        self.serve()
        self.make_root()
        self.in_root("mkdir -m 777 /tmp/evil")
        names = ("GNUPGHOME", "HOME", "TMPDIR", "XDG_RUNTIME_DIR", "LD_LIBRARY_PATH", "GCONV_PATH", "LOCPATH", "PATH",
                 "SSLKEYLOGFILE", "GNUTLS_SYSTEM_PRIORITY_FILE", "GPGME_DEBUG", "ASSUAN_DEBUG", "LD_PRELOAD", "LD_AUDIT",
                 "LD_DEBUG_OUTPUT", "LD_PROFILE_OUTPUT", "MALLOC_TRACE", "MANDOSPLUGINHELPERDIR", "NOTIFY_SOCKET")
        environment = {name: "/tmp/evil/" + name for name in names}
        environment |= {"GPGME_DEBUG": "9:/tmp/evil/gpgme", "LD_DEBUG": "all", "LD_PROFILE": "libc.so.6", "LANG": "/tmp/evil",
                        "GNUTLS_DEBUG_LEVEL": "9", "EVENT_NOEPOLL": "1", "EVENT_SHOW_METHOD": "1", "POSIXLY_CORRECT": "1",
                        "LISTEN_FDS": "3", "GCRYPT_DISABLE_HWF": "all"}
        self.unlocks(environment=environment)

    def test_files_have_the_right_modes_whatever_the_mask(self):
        self.make_root()
        before = self.client.state()
        for mask in (0, 0o777):
            with self.subTest(mask=mask):
                process = self.searching(trick=lambda: os.umask(mask))
                process.kill()
                self.assertEqual(self.in_root("stat -c '%a %u %g' /run/bootkey /run/bootkey/journal").splitlines(),
                                 ["1711 0 0", "600 0 0"])
                homes = self.in_root("stat -c '%a %u %g' /run/bootkey/*home*").splitlines()
                self.assertEqual(homes, ["700 65521 65521"])  # the decryptor's
                self.client.check([self.bootkey, "--restore"])
                self.client.check_unchanged(before)

    def test_the_journal_cannot_be_locked_by_others(self):
        self.make_root()
        process = self.searching()
        locked = subprocess.run(["flock", "--nonblock", f"/proc/{process.pid}/root/run/bootkey", "true"], user=NOBODY,
                                capture_output=True)
        self.assertNotEqual(locked.returncode, 0)
        self.assertEqual(self.client.run(["setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups", "flock",
                                          "--nonblock", "/run/bootkey", "true"]).status, 66)
        process.terminate()

    # -- what execve(2) preserves

    def test_low_limits_do_not_hurt(self):
        self.skip_with_sanitizers("the sanitizers need memory beyond these limits")
        self.serve()
        self.make_root()
        self.unlocks(trick=lambda: lower_limits(for_good=False))

    def test_limits_that_are_low_for_good_do_not_hurt(self):
        self.skip_with_sanitizers("the sanitizers need memory beyond these limits")
        with open("/proc/self/status") as status:
            capabilities = int(re.search(r"^CapEff:\s*(\w+)$", status.read(), re.MULTILINE)[1], 16)
        if not capabilities & 1 << CAP_SYS_RESOURCE:
            self.skipTest("even root may not raise limits here (no CAP_SYS_RESOURCE)")
        self.serve()
        self.make_root()
        self.unlocks(trick=lambda: lower_limits(for_good=True))

    def test_blocked_signals_and_timers_do_not_matter(self):
        self.make_root()

        def block_all():
            signal.pthread_sigmask(signal.SIG_SETMASK, range(1, signal.NSIG))
            signal.setitimer(signal.ITIMER_REAL, 1)

        before = self.client.state()
        process = self.searching(trick=block_all)
        self.alive(process, 1.5)
        process.signal(signal.SIGTERM)
        self.assertEqual(process.finish(10).status, -signal.SIGTERM)
        self.client.check_unchanged(before)

    def test_ignored_signals_stay_ignored(self):
        self.make_root()
        process = self.searching(trick=lambda: signal.signal(signal.SIGTERM, signal.SIG_IGN))
        process.signal(signal.SIGTERM)
        self.alive(process, 0.5)
        process.signal(signal.SIGINT)
        self.assertEqual(process.finish(10).status, -signal.SIGINT)

    def test_closed_standard_descriptors_are_not_reused(self):
        self.serve()
        self.make_root()
        self.refused(74, trick=lambda: os.closerange(0, 3))
        self.refused(74, trick=lambda: os.close(1))
        for closed in ([0], [2], [0, 2]):
            with self.subTest(closed=closed):
                self.unlocks(trick=lambda: [os.close(number) for number in closed])

    def exec_plugin(self, *words):
        """A trick: execute the plugin past the Popen object, which would close descriptors and give it a name."""
        argv = (ctypes.c_char_p * (len(words) + 1))(*words, None)
        _libc.execve(PLUGIN.encode(), argv, (ctypes.c_char_p * 1)(None))

    def test_descriptors_of_the_caller_are_closed(self):
        self.make_root()

        def leave_open():
            caller_file = os.open("/tmp/callers", os.O_RDWR | os.O_CREAT)
            for number in (3, 4, 5, 100, 1000):
                os.dup2(caller_file, number, inheritable=True)
            self.exec_plugin(b"mandos-client")

        process = self.searching(trick=leave_open)
        pids = [process.pid]
        with open(f"/proc/{process.pid}/task/{process.pid}/children") as children:
            pids += children.read().split()
        for pid in pids:
            for number in os.listdir(f"/proc/{pid}/fd"):
                with contextlib.suppress(FileNotFoundError):
                    self.assertNotIn("callers", os.readlink(f"/proc/{pid}/fd/{number}"))
        process.terminate()

    def test_no_arguments_not_even_a_name(self):
        self.serve()
        self.make_root()
        self.unlocks(trick=self.exec_plugin)

    def test_the_working_directory_does_not_matter(self):
        self.serve()
        self.make_root()

        def go_nowhere():
            os.mkdir("/tmp/nowhere")
            os.chdir("/tmp/nowhere")
            os.rmdir("/tmp/nowhere")

        self.unlocks(trick=go_nowhere)

    def test_a_full_pipe_as_standard_error_does_not_keep_it(self):
        self.make_root()
        reader, writer = os.pipe()
        self.addCleanup(os.close, reader)

        def talk_to_nobody():
            os.set_blocking(writer, False)
            with contextlib.suppress(BlockingIOError):
                while True:
                    os.write(writer, b"x" * 4096)
            os.set_blocking(writer, True)
            os.dup2(writer, 2)

        before = self.client.state()
        process = self.searching("--debug", trick=talk_to_nobody)
        os.close(writer)
        process.signal(signal.SIGTERM)
        self.assertEqual(process.finish(15).status, -signal.SIGTERM)
        self.client.check_unchanged(before)


if __name__ == "__main__":
    netns_case.main()

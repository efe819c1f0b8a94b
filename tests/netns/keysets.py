# SPDX-License-Identifier: GPL-3.0-or-later
"""Key sets of a Mandos client, made by gpg and openssl as an administrator of Debian's mandos-client has them.

Files of a set: pubkey.txt and seckey.txt (OpenPGP, ASCII armour), tls-pubkey.pem and tls-privkey.pem. RSA-4096 takes
seconds to make, so sets are kept in a cache directory, and programs that want the same set at once wait for one another.
"""

import base64
import fcntl
import hashlib
import os
import shutil
import subprocess
import tempfile

_OPENPGP_PARAMETERS = {
    "cv25519": ("Key-Type: eddsa", "Key-Curve: ed25519", "Key-Usage: sign",
                "Subkey-Type: ecdh", "Subkey-Curve: cv25519", "Subkey-Usage: encrypt"),
    "rsa4096": ("Key-Type: RSA", "Key-Length: 4096", "Key-Usage: sign,auth",
                "Subkey-Type: RSA", "Subkey-Length: 4096", "Subkey-Usage: encrypt"),
}
_TLS_PARAMETERS = {
    "ed25519": ("-algorithm", "ed25519"),
    "rsa": ("-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:4096"),
}


def _run(*command, data=None):
    result = subprocess.run(command, input=data, capture_output=True, env=dict(os.environ, LC_ALL="C.UTF-8"))
    if result.returncode != 0:
        raise RuntimeError(f"{' '.join(command)}: {result.stderr.decode(errors='replace')}")
    return result.stdout


class GpgHome:
    """A temporary GnuPG home; used in a `with` statement, whose end stops its agent and removes it."""

    def __enter__(self):
        self.directory = tempfile.mkdtemp(prefix="gpg-", dir="/tmp")
        return self

    def __exit__(self, *_):
        subprocess.run(["gpgconf", "--homedir", self.directory, "--kill", "all"], capture_output=True)
        shutil.rmtree(self.directory, ignore_errors=True)

    def gpg(self, *arguments, data=None):
        """Run gpg in batch mode; its standard output."""
        return _run("gpg", "--homedir", self.directory, "--batch", "--no-tty", "--quiet", "--trust-model", "always",
                    "--pinentry-mode", "loopback", *arguments, data=data)


def fingerprints(pubkey_file):
    """Fingerprints of the keys in an OpenPGP public key file: the primary key's first."""
    with GpgHome() as home:
        listing = home.gpg("--with-colons", "--show-keys", pubkey_file).decode()
    return [line.split(":")[9] for line in listing.splitlines() if line.startswith("fpr:")]


def encrypt(pubkey_file, plaintext, *options):
    """The plaintext (bytes) as a binary OpenPGP message that the key's holder can decrypt."""
    with GpgHome() as home:
        home.gpg("--import", pubkey_file)
        return home.gpg("--recipient", fingerprints(pubkey_file)[0], *options, "--encrypt", data=plaintext)


def tls_key_id(pem_file):
    """SHA-256 of a public key's SubjectPublicKeyInfo, in hexadecimal: how a Mandos server knows its client."""
    der = _run("openssl", "pkey", "-pubin", "-in", pem_file, "-outform", "DER")
    return hashlib.sha256(der).hexdigest()


def section(name, key_id, fingerprint, secret, **settings):
    """A section of the server's clients.conf. `secret`: an OpenPGP message. `settings`: more of the section's options."""
    lines = [f"[{name}]", "host = 192.0.2.250", f"key_id = {key_id}", f"fingerprint = {fingerprint}",
             "checker = true", "secret ="]
    text = base64.b64encode(secret).decode()
    lines += ["    " + text[start:start + 70] for start in range(0, len(text), 70)]
    lines += [f"{option} = {value}" for option, value in settings.items()]
    return "\n".join(lines) + "\n"


class KeySet:
    """The key files of one client, in `directory`. `memory`: a directory that keeps what gpg and openssl have answered about them."""

    def __init__(self, directory, memory=None):
        self.directory = directory
        self._memory = memory
        self.pubkey = os.path.join(directory, "pubkey.txt")
        self.seckey = os.path.join(directory, "seckey.txt")
        self.tls_pubkey = os.path.join(directory, "tls-pubkey.pem")
        self.tls_privkey = os.path.join(directory, "tls-privkey.pem")

    @property
    def options(self):
        """Command line options that name the files: of bootkey and of mandos-client alike."""
        names = [f"--pubkey={self.pubkey}", f"--seckey={self.seckey}"]
        if os.path.exists(self.tls_pubkey):
            names += [f"--tls-pubkey={self.tls_pubkey}", f"--tls-privkey={self.tls_privkey}"]
        return names

    @property
    def key_id(self):
        return self._remembered("key-id", lambda: tls_key_id(self.tls_pubkey).encode()).decode()

    @property
    def fingerprint(self):
        return self._remembered("fingerprint", lambda: fingerprints(self.pubkey)[0].encode()).decode()

    def section(self, password, name="client", remember=True, **settings):
        """A clients.conf section by which a server hands out the password (bytes) to the holder of these keys. The same one each
        time if the set is in the cache; `remember` is False for a password that does not come again.
        """
        if remember:
            secret = self._remembered(hashlib.sha256(password).hexdigest(), lambda: encrypt(self.pubkey, password))
        else:
            secret = encrypt(self.pubkey, password)
        return section(name, self.key_id, self.fingerprint, secret, **settings)

    def _remembered(self, name, ask):
        """What ask() has answered before, if that is known."""
        path = os.path.join(self._memory or "", name)
        if self._memory and os.path.exists(path):
            with open(path, "rb") as file:
                return file.read()
        answer = ask()
        if self._memory:
            os.makedirs(self._memory, exist_ok=True)
            with tempfile.NamedTemporaryFile(dir=self._memory, delete=False) as file:
                file.write(answer)
            os.rename(file.name, path)
        return answer


def make(directory, openpgp="cv25519", tls="ed25519", passphrase=""):
    """Make a key set in a new directory."""
    os.makedirs(directory, mode=0o700)
    keys = KeySet(directory)
    with GpgHome() as home:
        protection = (f"Passphrase: {passphrase}",) if passphrase else ("%no-protection",)
        home.gpg("--gen-key", data="\n".join(
            (*_OPENPGP_PARAMETERS[openpgp], "Name-Real: test client", "Expire-Date: 0", *protection, "%commit", "")).encode())
        with open(keys.pubkey, "wb") as file:
            file.write(home.gpg("--armor", "--export"))
        with open(keys.seckey, "wb") as file:
            file.write(home.gpg("--armor", "--passphrase", passphrase, "--export-secret-keys"))
    if tls:
        _run("openssl", "genpkey", *_TLS_PARAMETERS[tls], "-out", keys.tls_privkey)
        _run("openssl", "pkey", "-in", keys.tls_privkey, "-pubout", "-out", keys.tls_pubkey)
    return keys


def cached(cache, openpgp="cv25519", tls="ed25519", number=1):
    """A key set from the cache directory, made if it is not there. Different numbers are different keys."""
    os.makedirs(cache, exist_ok=True)
    directory = os.path.join(cache, f"{openpgp}-{tls}-{number}")
    with open(directory + ".lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not os.path.isdir(directory):
            for old in (".new", ".memory"):
                shutil.rmtree(directory + old, ignore_errors=True)
            make(directory + ".new", openpgp, tls)
            os.rename(directory + ".new", directory)
    return KeySet(directory, directory + ".memory")

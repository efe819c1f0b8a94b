# SPDX-License-Identifier: GPL-3.0-or-later
"""The secret numbers inside key files, as bytes: what must not be found where it does not belong.

Only what keysets.py makes is read: unprotected keys, RSA, Ed25519 and Curve25519. Nothing is verified.
"""

import base64
import hashlib
import subprocess

# RFC 4880, sections 4.3 and 9.1; RFC 6637, section 5.
_SECRET_KEY, _SECRET_SUBKEY = 5, 7
_RSA, _ECDH, _EDDSA = 1, 18, 22


def tls_numbers(pem_file):
    """The secret numbers of a TLS private key: {name: bytes}."""
    with open(pem_file) as file:
        text = file.read()
    body = base64.b64decode("".join(line for line in text.splitlines() if not line.startswith("-----")))
    if len(body) == 48:  # RFC 8410, section 7: the seed ends the structure
        return _ed25519(body[-32:])
    der = subprocess.run(["openssl", "rsa", "-traditional", "-in", pem_file, "-outform", "DER"],
                         check=True, capture_output=True).stdout
    _version, _n, _e, *secret = _der_integers(der)
    return dict(zip(("d", "p", "q", "d mod p-1", "d mod q-1", "coefficient"), secret))


def openpgp_numbers(armoured_file):
    """The secret numbers of the keys in an OpenPGP secret key file: [{name: bytes} of the primary key, of a subkey ...]."""
    with open(armoured_file) as file:
        text = file.read()
    lines = text.split("\n\n", 1)[1].splitlines()
    data = base64.b64decode("".join(line for line in lines if not line.startswith(("-----", "="))))
    return [_secret_numbers(body) for tag, body in _packets(data) if tag in (_SECRET_KEY, _SECRET_SUBKEY)]


def armour_lines(path):
    """The base64 lines of a PEM or armoured file that are long enough to be nothing else."""
    with open(path, "rb") as file:
        return [line for line in file.read().splitlines() if len(line) > 30 and not line.startswith(b"-----") and b" " not in line]


def _ed25519(seed):
    """The seed, and what every signature derives from it (RFC 8032, section 5.1.5)."""
    return {"seed": seed, "expanded seed": hashlib.sha512(seed).digest()}


def _der_integers(der):
    """The INTEGERs of a DER SEQUENCE of them, without leading zeros."""
    def element(place):
        size, start = der[place + 1], place + 2
        if size & 0x80:
            start += size & 0x7f
            size = int.from_bytes(der[place + 2:start], "big")
        return start, start + size

    place, end = element(0)
    while place < end:
        start, place = element(place)
        yield der[start:place].lstrip(b"\0")


def _packets(data):
    """(tag, body) of each packet (RFC 4880, section 4.2); gpg writes secret keys with old headers."""
    place = 0
    while place < len(data):
        header = data[place]
        size_bytes = 1 << (header & 3)
        body = place + 1 + size_bytes
        place = body + int.from_bytes(data[place + 1:body], "big")
        yield header >> 2 & 15, data[body:place]


def _secret_numbers(body):
    """The secret numbers of a secret key packet's body (RFC 4880, section 5.5.3; RFC 6637, section 9)."""
    place = 6

    def integer():
        nonlocal place
        size = (int.from_bytes(body[place:place + 2], "big") + 7) // 8
        place += 2 + size
        return body[place - size:place]

    def sized():
        nonlocal place
        place += 1 + body[place]

    algorithm = body[5]
    if algorithm == _RSA:
        integer(), integer()
    else:
        sized(), integer()
        if algorithm == _ECDH:
            sized()
    place += 1  # not protected
    if algorithm == _RSA:
        return dict(zip(("d", "p", "q", "coefficient"), (integer() for _ in range(4))))
    number = integer().rjust(32, b"\0")
    return _ed25519(number) if algorithm == _EDDSA else {"scalar": number}

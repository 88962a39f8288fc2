"""CURVE key files: makes them, and reads them.

The format is pyzmq's (`zmq.auth`), which other ZeroMQ programs read too: NAME.key holds a public
key, NAME.key_secret a public and a secret one. Who may come in with which key is not decided here.
"""

import os
import stat
import struct
from pathlib import Path
from typing import Final, NamedTuple

import zmq
from zmq.auth import create_certificates, load_certificate
from zmq.utils import z85

from recbms_zmq.errors import ConfigError, OutputError

_KEY_LENGTH: Final = 40  # characters in Z85, for 32 bytes


class KeyPair(NamedTuple):
    """A public and a secret key, 40 characters in Z85 each, as ZeroMQ's options take them."""

    public: bytes
    secret: bytes


def generate(path: Path) -> tuple[Path, Path]:
    """Make a key pair; return the paths of the public and the secret file.

    Args:
        path: of the files, without `.key` and `.key_secret`.

    Raises:
        ConfigError: this build of libzmq has no CURVE.
        OutputError: a file of that name is there already, or cannot be written.

    """
    _check_curve()
    for suffix in (".key_secret", ".key"):
        if os.path.lexists(f"{path}{suffix}"):
            raise OutputError(f"{path}{suffix} is there already; choose another name or move it")
    umask = os.umask(0o077)  # the secret must not be readable for a moment either
    try:
        files = create_certificates(path.parent, path.name)
        public, secret = map(Path, files)
        public.chmod(0o644)
    except OSError as exc:
        raise OutputError(f"cannot write {exc.filename}: {exc.strerror}") from exc
    finally:
        os.umask(umask)
    return public, secret


def read_secret(path: Path) -> KeyPair:
    """Read a key pair from NAME.key_secret.

    Raises:
        ConfigError: the file cannot be read, can be read by others, or holds no secret key; or
            this build of libzmq has no CURVE.

    """
    _check_curve()
    try:
        status = path.stat()
    except OSError as exc:
        raise ConfigError(f"cannot read the key file {path}: {exc.strerror}") from exc
    _, secret = _load(path)
    if secret is None:  # said first: a public key may be read by others
        raise ConfigError(f"{path} holds no secret key; expected the file NAME.key_secret")
    # A file of root's may be readable by a group: that is how a service gets it, from an
    # administrator or from systemd's LoadCredential.
    forbidden = 0o007 if status.st_uid == 0 else 0o077
    if stat.S_IMODE(status.st_mode) & forbidden:
        raise ConfigError(
            f"others can read the key file {path} (mode {stat.S_IMODE(status.st_mode):04o}); "
            f"say: chmod 600 {path}"
        )
    return KeyPair(zmq.curve_public(secret), secret)


def read_public(path: Path) -> bytes:
    """Read a public key from NAME.key; 40 characters in Z85.

    Raises:
        ConfigError: the file cannot be read, or holds no key.

    """
    public, _ = _load(path)
    return public


def read_allowed(folder: Path) -> frozenset[bytes]:
    """Read the public keys of all files `*.key` in a folder; 32 bytes each.

    Raises:
        ConfigError: there is no key, or a file that cannot be read or holds none.

    """
    try:
        files = sorted(file for file in folder.iterdir() if file.suffix == ".key")
    except OSError as exc:
        raise ConfigError(f"cannot read the folder of keys {folder}: {exc.strerror}") from exc
    if not files:
        raise ConfigError(
            f"there is no key in {folder}, so nobody could come in; expected public keys, *.key"
        )
    return frozenset(z85.decode(read_public(file)) for file in files)


def _load(path: Path) -> tuple[bytes, bytes | None]:
    try:
        if not path.is_file():  # reading a pipe could take for ever
            raise ConfigError(f"cannot read the key file {path}: there is no such file")
        public, secret = load_certificate(path)
    except OSError as exc:
        raise ConfigError(f"cannot read the key file {path}: {exc.strerror}") from exc
    except (ValueError, IndexError):  # the library's, for a line it cannot take apart
        raise ConfigError(f"{path} holds no key; `recbms-zmq keygen` makes such files") from None
    for key in (public, secret):
        if key is not None and not _is_key(key):
            raise ConfigError(f"{path} holds a damaged key; expected {_KEY_LENGTH} characters")
    return public, secret


def _is_key(text: bytes) -> bool:
    try:
        return len(text) == _KEY_LENGTH and bool(z85.decode(text))
    except (KeyError, ValueError, struct.error):
        return False


def _check_curve() -> None:
    if not zmq.has("curve"):
        raise ConfigError("this build of libzmq has no CURVE; install pyzmq from its wheel")

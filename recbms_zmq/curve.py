"""Creates and reads CURVE key files.

The format is pyzmq's (`zmq.auth`), which other ZeroMQ programs read too: NAME.key holds a public
key, NAME.key_secret a public and a secret one. `sinks.zap` decides which keys may subscribe.
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
_MAX_FILE_SIZE: Final = 65_536  # bytes; a key file has about 500


class KeyPair(NamedTuple):
    """A public and a secret key, 40 characters in Z85 each, as ZeroMQ's options take them."""

    public: bytes
    secret: bytes


def generate(path: Path) -> tuple[Path, Path]:
    """Create a key pair; return the paths of the public and the secret file.

    Args:
        path: of the files, without `.key` and `.key_secret`.

    Raises:
        ConfigError: this build of libzmq has no CURVE.
        OutputError: a file of that name exists, or cannot be written.

    """
    _check_curve()
    # pyzmq overwrites without a question: the key of a running service would be lost.
    for suffix in (".key_secret", ".key"):
        if os.path.lexists(f"{path}{suffix}"):
            raise OutputError(f"{path}{suffix} exists; choose another name or move it")
    # A chmod afterwards would leave a moment in which others can read the secret.
    umask = os.umask(0o077)
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
    if secret is None:  # checked first: others may read a public key
        raise ConfigError(f"{path} holds no secret key; expected the file NAME.key_secret")
    # A group may read a file that root owns: an administrator, or systemd's LoadCredential, gives
    # a key to a service in this way.
    forbidden = 0o007 if status.st_uid == 0 else 0o077
    if stat.S_IMODE(status.st_mode) & forbidden:
        raise ConfigError(
            f"others can read the key file {path} (mode {stat.S_IMODE(status.st_mode):04o}); "
            f"run: chmod 600 {path}"
        )
    # Not the public key of the file: with that of another pair every handshake would fail.
    return KeyPair(zmq.curve_public(secret), secret)


def read_public(path: Path) -> bytes:
    """Read a public key from NAME.key; 40 characters in Z85.

    Raises:
        ConfigError: the file cannot be read, or holds no key.

    """
    public, _ = _load(path)
    return public


def read_allowed(directory: Path) -> frozenset[bytes]:
    """Read the public keys of all files `*.key` in a directory; 32 bytes each, as in ZAP requests.

    Raises:
        ConfigError: the directory has no key, or a file that cannot be read or holds none.

    """
    try:
        files = sorted(file for file in directory.iterdir() if file.suffix == ".key")
    except OSError as exc:
        raise ConfigError(f"cannot read the directory of keys {directory}: {exc.strerror}") from exc
    if not files:
        raise ConfigError(
            f"there is no key in {directory}, so no client could connect; "
            "expected public keys, *.key"
        )
    return frozenset(z85.decode(read_public(file)) for file in files)


def _load(path: Path) -> tuple[bytes, bytes | None]:
    try:
        status = path.stat()
        if not stat.S_ISREG(status.st_mode):  # a FIFO blocks, /dev/zero fills the memory
            raise ConfigError(f"cannot read the key file {path}: it is not a regular file")
        if status.st_size > _MAX_FILE_SIZE:
            raise ConfigError(f"{path} is no key file: it is larger than {_MAX_FILE_SIZE} bytes")
        public, secret = load_certificate(path)
    except OSError as exc:
        raise ConfigError(f"cannot read the key file {path}: {exc.strerror}") from exc
    except (ValueError, IndexError):  # of load_certificate, for a line it cannot parse
        raise ConfigError(f"{path} holds no key; `recbms-zmq keygen` creates key files") from None
    for key in (public, secret):
        if key is not None and not _is_key(key):
            raise ConfigError(f"{path} holds a damaged key; expected {_KEY_LENGTH} characters")
    return public, secret


def _is_key(text: bytes) -> bool:
    try:
        return len(text) == _KEY_LENGTH and bool(z85.decode(text))
    # `z85` has no error of its own: these are what its table, its length and its packing raise.
    except (KeyError, ValueError, struct.error):
        return False


def _check_curve() -> None:
    if not zmq.has("curve"):
        raise ConfigError("this build of libzmq has no CURVE; install pyzmq from its wheel")

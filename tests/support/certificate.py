"""Certificates signed by themselves, made by the command `openssl`."""

import hashlib
import ssl
import subprocess
from pathlib import Path
from typing import NamedTuple


class Certificate(NamedTuple):
    """A certificate and its key, as PEM files."""

    path: Path
    key: Path

    @property
    def context(self) -> ssl.SSLContext:
        """What a server needs to show it."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.path, self.key)
        return context

    @property
    def fingerprint(self) -> str:
        der = ssl.PEM_cert_to_DER_cert(self.path.read_text(encoding="ascii"))
        return hashlib.sha256(der).hexdigest()


def make_certificate(folder: Path, name: str) -> Certificate:
    """Make one for a name such as `IP:127.0.0.1` or `DNS:localhost`."""
    made = Certificate(folder / "certificate.pem", folder / "key.pem")
    words = [
        *("openssl", "req", "-x509", "-nodes", "-days", "2", "-newkey", "ec"),
        *("-pkeyopt", "ec_paramgen_curve:P-256", "-subj", f"/CN={name.partition(':')[2]}"),
        *("-addext", f"subjectAltName={name}", "-keyout", str(made.key), "-out", str(made.path)),
    ]
    subprocess.run(words, check=True, capture_output=True, timeout=60)
    return made

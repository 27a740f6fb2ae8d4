"""Certificates for one test run, made with ``openssl``: an authority, a broker's good, expired and wrong-host ones, a client's."""

import subprocess
from dataclasses import dataclass
from pathlib import Path

SUBJECTS = {
    "broker": ("subjectAltName=DNS:localhost,IP:127.0.0.1", "20250101000000Z", "20990101000000Z"),
    "expired": ("subjectAltName=DNS:localhost,IP:127.0.0.1", "20200101000000Z", "20200102000000Z"),
    "elsewhere": ("subjectAltName=DNS:kafka.example.org", "20250101000000Z", "20990101000000Z"),
    "client": ("extendedKeyUsage=clientAuth", "20250101000000Z", "20990101000000Z"),
}
"""Name to X.509 extension, first and last moment of validity."""

_CONFIG = """
[ca]
default_ca = here
[here]
dir = .
database = index.txt
serial = serial
new_certs_dir = .
default_md = sha256
policy = any
copy_extensions = copy
unique_subject = no
[any]
commonName = supplied
[req]
distinguished_name = name
[name]
"""


@dataclass(frozen=True)
class Certificates:
    """Files of one authority.

    Args:
        folder: holds ``ca.pem``, ``other-ca.pem`` (a stranger's), and ``NAME.pem``, ``NAME.key`` and ``NAME.store.pem``
            (key and chain, as Kafka reads them) for each of `SUBJECTS`.
    """

    folder: Path

    def path(self, name: str) -> str:
        """A file of the folder, as text."""
        return str(self.folder / name)


def make(folder: Path) -> Certificates:
    """Make them all; takes a second or two."""
    (folder / "openssl.cnf").write_text(_CONFIG)
    (folder / "index.txt").touch()
    (folder / "serial").write_text("01\n")
    for authority in ("ca", "other-ca"):
        usage = ("-addext", "basicConstraints=critical,CA:TRUE", "-addext", "keyUsage=critical,keyCertSign,cRLSign")
        files = ("-keyout", f"{authority}.key", "-out", f"{authority}.pem")
        _openssl(
            folder, "req", "-x509", "-newkey", "rsa:2048", "-nodes", *files, "-days", "3650", "-subj", f"/CN=khabar {authority}", *usage
        )
    for name, (extension, start, end) in SUBJECTS.items():
        files = ("-keyout", f"{name}.key", "-out", f"{name}.csr")
        _openssl(folder, "req", "-newkey", "rsa:2048", "-nodes", *files, "-subj", f"/CN={name}", "-addext", extension)
        signed = ("-cert", "ca.pem", "-keyfile", "ca.key", "-in", f"{name}.csr", "-out", f"{name}.pem")
        _openssl(folder, "ca", "-batch", "-config", "openssl.cnf", *signed, "-startdate", start, "-enddate", end, "-notext")
        store = (folder / f"{name}.key").read_text() + (folder / f"{name}.pem").read_text() + (folder / "ca.pem").read_text()
        (folder / f"{name}.store.pem").write_text(store)
    return Certificates(folder)


def _openssl(folder: Path, *arguments: str) -> None:
    environment = {"PATH": "/usr/bin:/bin", "OPENSSL_CONF": str(folder / "openssl.cnf")}
    subprocess.run(["openssl", *arguments], cwd=folder, check=True, capture_output=True, env=environment)

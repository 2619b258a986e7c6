"""Certificates for servers on this machine, made by the openssl command."""

import ssl
import subprocess
from dataclasses import dataclass
from pathlib import Path

_REQUEST: list[str | Path] = [
    "openssl",
    "req",
    "-x509",
    "-newkey",
    "ec",
    "-pkeyopt",
    "ec_paramgen_curve:prime256v1",
    "-nodes",
]
_NAMES = "subjectAltName=DNS:localhost,IP:127.0.0.1"


@dataclass(frozen=True, slots=True)
class Certificate:
    """A server's certificate and key, and the authority that a client has to trust for it."""

    ca_file: Path
    cert_file: Path
    key_file: Path

    def server_context(self) -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.cert_file, self.key_file)
        return context

    def client_context(self) -> ssl.SSLContext:
        return ssl.create_default_context(cafile=self.ca_file)


def make_certificate(folder: Path, names: str = _NAMES) -> Certificate:
    """An authority and a certificate it signed for ``names``, valid for two days."""
    ca_file, ca_key = folder / "ca.pem", folder / "ca-key.pem"
    made = Certificate(ca_file, folder / "cert.pem", folder / "key.pem")
    authority: list[str | Path] = [
        *_REQUEST,
        "-subj",
        "/CN=Test authority",
        "-keyout",
        ca_key,
        "-out",
        ca_file,
        "-days",
        "2",
    ]
    leaf: list[str | Path] = [
        *_REQUEST,
        "-subj",
        "/CN=localhost",
        "-keyout",
        made.key_file,
        "-out",
        made.cert_file,
        "-days",
        "2",
    ]
    _openssl([*authority, "-addext", "keyUsage=critical,keyCertSign,cRLSign"])
    signed: list[str | Path] = [
        "-CA",
        ca_file,
        "-CAkey",
        ca_key,
        "-addext",
        names,
        "-addext",
        "basicConstraints=critical,CA:FALSE",
    ]
    _openssl([*leaf, *signed])
    return made


def _openssl(command: list[str | Path]) -> None:
    try:
        subprocess.run(command, check=True, capture_output=True, text=True)
    except FileNotFoundError:
        raise RuntimeError("The tests need the openssl command: apt-get install openssl") from None
    except subprocess.CalledProcessError as error:
        raise RuntimeError(f"openssl: {error.stderr}") from error

"""Archives within mail are octets, and stay so."""

import gzip
import io
import zipfile
from base64 import encodebytes
from pathlib import Path

import pytest

import service
from service.mail.mime.message import read_message

SECRET = b"inside of the archive"


def zipped() -> bytes:
    """A megabyte that is a thousand octets long, and a name that climbs out."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("../../inside.txt", SECRET + bytes(1 << 20))
    return file.getvalue()


@pytest.mark.parametrize(
    ("type_", "octets"),
    [
        ("application/zip", zipped()), ("application/gzip", gzip.compress(SECRET + bytes(1 << 20), mtime=0)), ("text/plain", gzip.compress(SECRET, mtime=0)),
        ("application/ms-tnef", b"\x78\x9f\x3e\x22" + SECRET), ("application/vnd.ms-outlook", b"\xd0\xcf\x11\xe0" + SECRET),
    ],
)  # fmt: skip
def test_an_archive_is_one_part_of_its_own_size(type_: str, octets: bytes) -> None:
    """R-MIME-18: an archive of any declared type is not opened; no name and no octet inside it is shown."""
    source = (
        b"MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n\r\nsee file\r\n--b\r\nContent-Type: "
        + type_.encode() + b"\r\nContent-Disposition: attachment; filename=a.bin\r\nContent-Transfer-Encoding: base64\r\n\r\n"
        + encodebytes(octets) + b"--b--\r\n"
    )  # fmt: skip
    message = read_message(source, id="m", folder_id="f", size=len(source))
    [part] = message.attachments
    assert (part.type, part.name, part.parts) == (type_, "a.bin", None)
    assert "inside" not in message.model_dump_json()


def test_nothing_here_can_open_an_archive() -> None:
    """R-MIME-18. Only the modules of sync tokens, states and subscriptions decompress, which this service makes and seals itself, and the backlog
    of a connection that both sides compress. Responses and the site's own files are compressed, and never read."""
    words = ("zipfile", "tarfile", "gzip", "lzma", "bz2", "decompress", "unpack_archive")
    for file in Path(service.__file__).parent.rglob("*.py"):
        if file.parent.name not in {"demo", "site", "web"} and file.name not in {
            "token.py",
            "mailboxes.py",
            "changes.py",
            "sync_state.py",
            "sealing.py",
            "known.py",
            "backlog.py",
            "compression.py",
        }:
            text = file.read_text()
            assert not [word for word in words if word in text], file

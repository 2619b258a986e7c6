"""Writes MIME octet by octet (RFC 5322, 2045, 2047, 2231, 2183), so that the same letter has the same octets each time,
in the forms that different programs write.

A part is its octets from its first header to the line break that ends its body.
"""

import base64
import binascii
import re
from email import charset as charsets
from email.header import Header
from typing import Literal, TypeAlias
from urllib.parse import quote

CRLF = b"\r\n"
NAME_PIECE = 20
"""Octets of a percent-encoded file name that go on one line."""
Encoding: TypeAlias = Literal["7bit", "8bit", "quoted-printable", "base64"]
_ATOMS = re.compile(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~ -]*")


def header(name: str, value: str) -> bytes:
    """One header field. ``value`` is folded already if it must be."""
    return f"{name}: {value}\r\n".encode()


def encoded(text: str, charset: str = "utf-8", *, start: int = 10) -> str:
    """The text as encoded words of at most 75 letters, folded; ASCII is only folded. ``start`` is the column at which
    it begins.

    The encoding is the usual one of the charset: B for Cyrillic and East Asian, Q for Latin, the shorter one for UTF-8.
    """
    charset_name = "us-ascii" if text.isascii() else charset
    return Header(text, charsets.Charset(charset_name), maxlinelen=75, header_name="x" * start).encode(linesep="\r\n")


def mailbox(name: str, address: str, charset: str = "utf-8") -> str:
    """A display name as atoms, a quoted string or encoded words, before the address."""
    if not name:
        return address
    if not name.isascii():
        return f"{encoded(name, charset)} <{address}>"
    return f"{name if _ATOMS.fullmatch(name) else _quoted(name)} <{address}>"


def text(
    content: str, charset: str = "utf-8", encoding: Encoding = "quoted-printable", kind: str = "plain", more: str = ""
) -> bytes:
    """A text part. ``more`` adds parameters to its type, such as ``; format=flowed``."""
    octets = content.replace("\n", "\r\n").encode(charset)
    head = header("Content-Type", f'text/{kind}; charset="{charset}"{more}')
    return head + header("Content-Transfer-Encoding", encoding) + CRLF + _transferred(octets, encoding)


def binary(content: bytes, kind: str, filename: str = "", *, cid: str = "", old_style: bool = False) -> bytes:
    """A part in base64: an attachment, or with ``cid`` an image that the HTML beside it embeds.

    ``old_style`` writes the file name as programs did before RFC 2231: as an encoded word in a quoted string.
    """
    disposition = "inline" if cid else "attachment"
    if old_style:
        name = f';\r\n name="{encoded(filename)}"'
        head = header("Content-Type", kind + name) + header("Content-Disposition", disposition)
    else:
        head = header("Content-Type", kind) + header("Content-Disposition", disposition + _filename(filename))
    if cid:
        head += header("Content-ID", f"<{cid}>")
    return head + header("Content-Transfer-Encoding", "base64") + CRLF + _transferred(content, "base64")


def message(source: bytes, filename: str) -> bytes:
    """A whole message as a part. Only the identity encodings are allowed for it (RFC 2046, 5.2.1)."""
    head = header("Content-Type", "message/rfc822") + header("Content-Disposition", "attachment" + _filename(filename))
    return head + header("Content-Transfer-Encoding", "8bit") + CRLF + source


def multipart(subtype: str, number: int, *parts: bytes, more: str = "", preamble: bytes = b"") -> bytes:
    """``number`` and the subtype make the boundary, so nested parts of one subtype need different numbers."""
    boundary = f"=_{subtype}.{number}"
    head = header("Content-Type", f'multipart/{subtype}{more};\r\n boundary="{boundary}"')
    delimiter = b"--" + boundary.encode()
    return head + CRLF + preamble + b"".join(delimiter + CRLF + part + CRLF for part in parts) + delimiter + b"--\r\n"


def _transferred(octets: bytes, encoding: Encoding) -> bytes:
    match encoding:
        case "base64":
            return base64.encodebytes(octets).replace(b"\n", CRLF)
        case "quoted-printable":
            return binascii.b2a_qp(octets, istext=True)
    return octets


def _quoted(value: str) -> str:
    return '"' + re.sub(r'(["\\])', r"\\\1", value) + '"'


def _filename(name: str) -> str:
    """The parameters of a disposition. A non-ASCII name is written by RFC 2231, a long one in pieces."""
    if not name:
        return ""
    if name.isascii():
        return f"; filename={_quoted(name)}"
    octets = re.findall("%..|.", quote(name, safe=""))
    if len(octets) <= NAME_PIECE:
        return ";\r\n filename*=utf-8''" + "".join(octets)
    octets[0] = "utf-8''" + octets[0]
    pieces = ("".join(octets[start : start + NAME_PIECE]) for start in range(0, len(octets), NAME_PIECE))
    return "".join(f";\r\n filename*{index}*={piece}" for index, piece in enumerate(pieces))

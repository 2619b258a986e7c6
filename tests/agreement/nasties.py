"""Messages made up from a seed, each of some things that real mail does and should not.

    nasties(200, seed=16)       # the same 200 for the same seed

Names and hosts are of example.org.
"""

import base64
import quopri
from collections.abc import Callable
from random import Random
from typing import NamedTuple

from tests.agreement import words

DEPTH = 4
_MULTIPARTS = ("mixed", "mixed", "alternative", "related", "signed", "report", "digest", "parallel", "x-odd")


class Nasty(NamedTuple):
    """``name`` says how it came about: seed, number and the traits that were chosen."""

    name: str
    octets: bytes


def nasties(count: int, seed: int) -> list[Nasty]:
    """The messages of a seed."""
    return [_Maker(Random(f"{seed}/{number}")).message(f"{seed}/{number}") for number in range(count)]


class _Maker:
    def __init__(self, random: Random) -> None:
        self._random = random
        self._charset = random.choice(words.CHARSETS)
        self._traits: list[str] = []

    def message(self, name: str) -> Nasty:
        octets = self._ended(self._whole(0))
        return Nasty(f"{name} {self._charset} {' '.join(self._traits)}", octets)

    def _chance(self, hundredths: int) -> bool:
        return self._random.randrange(100) < hundredths

    def _trait(self, name: str, hundredths: int) -> bool:
        if self._chance(hundredths):
            self._traits.append(name)
            return True
        return False

    def _pick(self, table: dict[str, bytes]) -> bytes:
        name = self._random.choice(list(table))
        self._traits.append(name)
        return table[name]

    def _word(self) -> str:
        return self._random.choice(words.TEXTS[self._charset])

    # header

    def _whole(self, depth: int) -> bytes:
        """A message: its fields, then its body."""
        fields = self._fields()
        content, body = self._entity(depth)
        fields += content
        if self._trait("shuffled", 20):
            self._random.shuffle(fields)
        if self._trait("junk-line", 6):
            fields.insert(self._random.randrange(len(fields) + 1), b"this line is no field")
        start = b"From ann@example.org Thu Oct  1 09:30:00 2026\r\n" if self._trait("from-line", 4) else b""
        return start + b"\r\n".join(fields) + b"\r\n\r\n" + body

    def _fields(self) -> list[bytes]:
        fields = [b"Received: from a.example.org by b.example.org; Thu, 1 Oct 2026 09:30:00 +0200"]
        people = {
            b"From": (95, 1),
            b"To": (95, 3),
            b"Cc": (30, 3),
            b"Bcc": (30, 3),
            b"Reply-To": (30, 3),
            b"Sender": (30, 1),
        }
        fields += [
            name + b": " + self._addresses(most)
            for name, (hundredths, most) in people.items()
            if self._chance(hundredths)
        ]
        if self._chance(92):
            fields.append(b"Subject: " + self._subject())
        if self._chance(92):
            fields.append(b"Date: " + self._pick(words.DATES))
        names = (b"Message-ID", b"In-Reply-To", b"References")
        fields += [name + b": " + self._pick(words.IDS) for name in names if self._chance(70)]
        if self._trait("twice", 10):
            name = self._random.choice((b"Subject", b"From", b"To", b"Date", b"Cc"))
            value = {b"Subject": b"second", b"Date": b"Fri, 2 Oct 2026 10:00:00 +0000"}.get(name, b"second@example.org")
            fields.append(name + b": " + value)
        if self._trait("blank-before-colon", 5):
            fields = [field.replace(b": ", b" : ", 1) if field.startswith(b"Subject") else field for field in fields]
        return fields

    def _addresses(self, most: int) -> bytes:
        count = self._random.randint(1, most)
        return self._random.choice((b", ", b",", b",\r\n ")).join(self._address() for _ in range(count))

    def _address(self) -> bytes:
        word = self._word()
        raw = word.encode(self._charset, "replace")
        forms: dict[str, Callable[[], bytes]] = {
            "raw-name": lambda: raw + b" <raw@example.org>",
            "raw-quoted": lambda: b'"' + raw + b'" <raw@example.org>',
            "encoded-name": lambda: self._encoded(word) + b" <encoded@example.org>",
            "encoded-quoted": lambda: b'"' + self._encoded(word) + b'" <encoded@example.org>',
        }
        if self._chance(35):
            return self._random.choice(list(forms.values()))()
        return self._pick(words.ADDRESSES)

    def _subject(self) -> bytes:
        word = self._word()
        choice = self._random.randrange(10)
        if choice < 3:
            self._traits.append("raw-subject")
            return word.encode(self._charset, "replace")
        if choice < 6:
            return self._encoded(word) + self._random.choice((b"", b"\r\n ", b" ")) + self._encoded(word)
        return self._pick(words.SUBJECTS)

    def _encoded(self, text: str) -> bytes:
        octets = text.encode(self._charset, "replace")
        label = self._charset.encode() + (b"*en" if self._chance(5) else b"")
        if self._chance(50):
            return b"=?" + label + b"?B?" + base64.b64encode(octets) + b"?="
        return b"=?" + label + b"?q?" + b"".join(b"=%02X" % octet for octet in octets) + b"?="

    # body

    def _entity(self, depth: int) -> tuple[list[bytes], bytes]:
        """The content fields and the body of a part."""
        kind = self._random.randrange(10)
        if depth < DEPTH and kind < (6 if depth == 0 else 3):
            return self._multipart(depth)
        if depth and depth < DEPTH and kind == 3:
            return self._attached(depth)
        return self._file() if depth and kind < 7 else self._text()

    def _multipart(self, depth: int) -> tuple[list[bytes], bytes]:
        subtype = self._random.choice(_MULTIPARTS)
        boundary, declared = self._boundary(depth)
        content = [b"Content-Type: multipart/" + subtype.encode() + declared]
        if subtype == "signed":
            content[0] += b'; protocol="application/pgp-signature"; micalg=pgp-sha1'
        parts = [self._part(depth + 1) for _ in range(self._random.randint(0 if self._chance(6) else 1, 4))]
        body = b"This is a preamble.\r\n" if self._chance(40) else b""
        for part in parts:
            body += b"\r\n--" + boundary + self._random.choice((b"", b"", b"", b" ", b"\t ")) + b"\r\n" + part
        if not self._trait("unended", 12):
            body += b"\r\n--" + boundary + b"--"
        if self._chance(40):
            body += b"\r\nThis is an epilogue.\r\n"
        return content, body

    def _boundary(self, depth: int) -> tuple[bytes, bytes]:
        boundary = self._random.choice(words.BOUNDARIES).replace(b"%", b"%d" % depth)
        quoted = b'; boundary="' + boundary + b'"'
        choice = self._random.randrange(20)
        if choice == 0:
            self._traits.append("boundary-elsewhere")
            return b"other", quoted
        if choice == 1:
            self._traits.append("no-boundary")
            return boundary, b""
        if choice == 2:
            return boundary, b";\r\n\tBoundary = " + quoted.partition(b"=")[2]
        if choice == 3:
            self._traits.append("two-semicolons")
            return boundary, b";" + quoted
        return boundary, quoted

    def _part(self, depth: int) -> bytes:
        content, body = self._entity(depth)
        choice = self._random.randrange(20)
        if choice == 0:
            self._traits.append("part-without-header")
            return body if choice else b"Just text, no header.\r\n"
        if choice == 1:
            self._traits.append("part-without-blank-line")
            return b"\r\n".join(content) + b"\r\n"
        if choice == 2:
            return b"\r\n" + body
        return b"\r\n".join(content) + b"\r\n\r\n" + body

    def _attached(self, depth: int) -> tuple[list[bytes], bytes]:
        content, whole = [b"Content-Type: message/rfc822"], self._whole(depth + 1)
        if self._trait("encoded-message", 15):
            return [*content, b"Content-Transfer-Encoding: base64"], base64.encodebytes(whole).replace(b"\n", b"\r\n")
        if self._chance(50):
            content.append(b'Content-Disposition: attachment; filename="attached.eml"')
        return content, whole

    def _text(self) -> tuple[list[bytes], bytes]:
        text = f"{self._word()} {self._word()}.\r\nSecond line.\r\n"
        subtype = b"plain"
        if self._chance(40):
            subtype, text = b"html", f"<p>{text}</p>\r\n"
        content = []
        if not self._trait("no-type", 8):
            label = self._random.choice((self._charset, self._charset.upper(), f'"{self._charset}"')).encode()
            named = b"" if self._trait("no-charset", 12) else b"; charset=" + label
            content.append(b"Content-Type: " + self._random.choice((b"text/", b"Text/", b"text /")) + subtype + named)
        encoding, body = self._transferred(text.encode(self._charset, "replace"))
        return [*content, *encoding], body

    def _file(self) -> tuple[list[bytes], bytes]:
        content = [b"Content-Type: " + self._pick(words.TYPES)]
        name = self._pick(words.NAMES).replace(b"%RAW%", self._word().encode(self._charset, "replace"))
        disposition = self._random.choice((b"attachment", b"attachment", b"inline", b"ATTACHMENT", b"x-odd", b""))
        if disposition:
            content.append(b"Content-Disposition: " + disposition + name.replace(b"%N%", b"filename"))
        else:
            content[0] += name.replace(b"%N%", b"name")
        if self._chance(30):
            content.append(
                b"Content-ID: " + self._random.choice((b"<cid@example.org>", b"bare@example.org", b"<>", b""))
            )
        encoding, body = self._transferred(bytes(self._random.randrange(1, 256) for _ in range(90)))
        return [*content, *encoding], body

    def _transferred(self, octets: bytes) -> tuple[list[bytes], bytes]:
        field = b"Content-Transfer-Encoding: "
        choice = self._random.randrange(4)
        if choice == 0:
            body = base64.encodebytes(octets).replace(b"\n", b"\r\n")
            return [field + self._random.choice(words.BASE64)], body
        if choice == 1:
            body = quopri.encodestring(octets.replace(b"\r\n", b"\n")).replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")
            return [field + self._random.choice(words.QUOTED)], body
        if choice == 2:
            return [field + self._random.choice(words.IDENTITIES)], octets
        return [], octets

    # octets

    def _ended(self, octets: bytes) -> bytes:
        choice = self._random.randrange(20)
        if choice < 2:
            self._traits.append("LF")
            return octets.replace(b"\r\n", b"\n")
        if choice == 2:
            self._traits.append("mixed-ends")
            return b"".join(line + self._random.choice((b"\r\n", b"\n")) for line in octets.split(b"\r\n"))
        if choice == 3:
            self._traits.append("truncated")
            return octets[: self._random.randrange(1, len(octets))]
        if choice == 4:
            self._traits.append("no-end")
            return octets.rstrip(b"\r\n")
        return octets

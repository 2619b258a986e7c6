"""Texts in charsets and encodings, right and wrong (RFC 2045, RFC 2047)."""

from base64 import encodebytes

from tests.corpus.letter import Letter, written

_RUSSIAN, _JAPANESE, _CHINESE = "Привет, мир", "こんにちは、世界", "你好，世界"


def _in(charset: str, encoding: str = "8bit") -> str:
    return f"Content-Type: text/plain; charset={charset}\nContent-Transfer-Encoding: {encoding}\n"


def _lines(octets: bytes) -> bytes:
    return encodebytes(octets).replace(b"\n", b"\r\n")


TEXTS: tuple[Letter, ...] = (
    written("utf-8", "Grüße, 世界 😀\n", case="R-MIME-08", more=_in("utf-8"), text="Grüße, 世界 😀"),
    written(
        "quoted-printable",
        "caf=E9 =3D co=\nffee =20\n",
        case="R-MIME-09",
        more=_in("iso-8859-1", "quoted-printable"),
        text="café = coffee",
    ),
    written(
        "koi8-r",
        _lines(_RUSSIAN.encode("koi8-r")),
        case="R-MIME-08",
        more=_in("koi8-r", "base64"),
        text=_RUSSIAN,
    ),
    written(
        "iso-2022-jp",
        _JAPANESE.encode("iso-2022-jp") + b"\r\n",
        case="R-MIME-08",
        more=_in("ISO-2022-JP", "7bit"),
        text=_JAPANESE,
    ),
    written("gb18030", _CHINESE.encode("gb18030") + b"\r\n", case="R-MIME-08", more=_in("gb2312"), text=_CHINESE),
    written("big5", _lines("中文".encode("big5")), case="R-MIME-08", more=_in("big5", "base64"), text="中文"),
    written("windows", b"\x93quoted\x94 \x80\r\n", case="R-MIME-08", more=_in("iso-8859-1"), text="“quoted” €"),
    written("undeclared", b"caf\xe9\r\n", case="R-MIME-08", text="café"),
    written("half-a-character", b"caf\xc3\r\n", case="R-MIME-08", more=_in("utf-8"), text=None),
    written("nameless-charset", "words\n", case="R-MIME-08", more=_in("x-nobody-knows"), text="words"),
    written(
        "codec-for-programs",
        r"\u003cb\u003e",
        case="R-MIME-08",
        more=_in("unicode_escape"),
        text=r"\u003cb\u003e",
        warnings=("charset-problem",),
    ),
    written("utf-16", _lines("wide ü".encode("utf-16")), case="R-MIME-08", more=_in("utf-16", "base64"), text="wide ü"),
    written("nul", b"be\0fore\r\n\0\0after\r\n", case="R-MIME-09", text=None),
    written("bare-cr", b"one\rtwo\rthree\r\n", case="R-MIME-21", text="one two three"),
    written(
        "dots",
        ".\n..\n...\n.one\n\n.\n",
        case="R-MIME-21",
        text=". .. ... .one .",
        content=("1", b".\r\n..\r\n...\r\n.one\r\n\r\n.\r\n"),
    ),
    written(
        "from-lines", "From here on\n>From there\n", case="R-MIME-21", content=("1", b"From here on\r\n>From there\r\n")
    ),
    written("long-line", "x" * 100_000 + "\n", case="R-MIME-19", text="x" * 100_000),
    written("huge", "wörds and words\n" * 20_000, case="R-MIME-19", more=_in("utf-8"), text=None),
    written(
        "broken-quoted-printable",
        "a=ZZb =4 =e9=\n",
        case="R-MIME-09",
        more=_in("iso-8859-1", "quoted-printable"),
        text="a=ZZb =4 é",
    ),
    written(
        "broken-base64", "aGVs!bG8\n*gd29y\nbGQ\n", case="R-MIME-09", more=_in("utf-8", "base64"), text="hello world"
    ),
    written("8-bit-as-7-bit", "naïve\n", case="R-MIME-09", more=_in("utf-8", "7bit"), text="naïve"),
    written(
        "unknown-encoding", "as it is\n", case="R-MIME-09", more=_in("utf-8", "x-own"), content=("1", b"as it is\r\n")
    ),
    written(
        "uuencoded",
        "begin 644 hello.txt\n#:&DA\n`\nend\n",
        case="R-MIME-09",
        more="Content-Type: application/octet-stream; name=hello.txt\nContent-Transfer-Encoding: x-uuencode\n",
        outline="1 application/octet-stream",
        files=("hello.txt",),
        content=("1", b"hi!"),
    ),
)

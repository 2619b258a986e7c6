"""Charsets, encoded words, and what never reaches a reader."""

import pytest

from service.mail.cleaning import clean_text
from service.mail.mime.charset import decode_text
from service.mail.mime.headers.words import decode_words


@pytest.mark.parametrize(
    ("charset", "octets", "text"),
    [
        ("utf-8", "grün".encode(), "grün"),
        ("ISO-8859-1", b"gr\xfcn \x80", "grün €"),
        ("iso-8859-15", b"\xa4", "€"),
        ("windows-1251", "привет".encode("cp1251"), "привет"),
        ("KOI8-R", "привет".encode("koi8-r"), "привет"),
        ("gb2312", "你好".encode("gb18030"), "你好"),
        ("big5", "你好".encode("cp950"), "你好"),
        ("shift_jis", "日本①".encode("cp932"), "日本①"),
        ("iso-2022-jp", "日本".encode("iso2022_jp"), "日本"),
        ("euc-kr", "한국".encode("cp949"), "한국"),
        ("ks_c_5601-1987", "한국".encode("cp949"), "한국"),
        ("utf-7", b"gr+APw-n", "grün"),
        ("utf-16", "grün".encode("utf-16"), "grün"),
        ("utf-16", "grün".encode("utf-16-be"), "grün"),
        ("utf-16", "grün".encode("utf-16-le"), "grün"),
        ("utf-16le", "\ufeffgrün".encode("utf-16-le"), "grün"),
        ("utf-32", "grün".encode("utf-32"), "grün"),
        ("x-mac-roman", b"gr\x9fn", "grün"),
        ("tis-620", b"\xa1", "ก"),
        ("cp850", b"\x81", "ü"),
        ("UTF8", b"\xef\xbb\xbfa", "a"),
    ],
)
def test_the_charsets_of_real_mail_are_read(charset: str, octets: bytes, text: str) -> None:
    """R-MIME-08."""
    assert decode_text(octets, charset) == (text, False)


@pytest.mark.parametrize(
    "charset",
    [
        "unicode_escape",
        "raw_unicode_escape",
        "idna",
        "punycode",
        "rot13",
        "hex",
        "base64",
        "zlib",
        "bz2",
        "uu",
        "mbcs",
        "undefined",
        "charmap",
        "x\0y",
        "?",
        "utf_8_sig",
        "unknown-8bit",
        "x-" + "a" * 10_000,
    ],
)
def test_no_other_codec_is_ever_used(charset: str) -> None:
    """R-MIME-08. ``\\u003c`` must not become a tag because the mail asks for an escape codec."""
    assert decode_text(b"\\u003cscript> 3c \xfc", charset) == ("\\u003cscript> 3c ü", True)


def test_an_unlabelled_text_is_utf_8_or_windows_1252() -> None:
    """R-MIME-08."""
    assert decode_text("grün".encode(), None) == ("grün", False)
    assert decode_text(b"gr\xfcn", None) == ("grün", True)
    assert decode_text(b"gr\xfcn", "us-ascii") == ("grün", True)
    assert decode_text(b"gr\xfcn", "utf-8") == ("grün", True)


def test_what_json_cannot_carry_is_replaced() -> None:
    """R-MIME-08."""
    assert decode_text(b"a\0b", "utf-8").text == "a\ufffdb"
    assert decode_text(b"a+2AA-b", "utf-7").text == "a\ufffdb"


@pytest.mark.parametrize(
    ("raw", "text"),
    [
        (b" plain ", "plain"),
        (b" =?iso-8859-1?Q?gr=FCn?=", "grün"),
        (b"=?UTF-8*de?B?Z3LDvG4=?=", "grün"),
        (b"=?utf-8?q?a?= =?utf-8?q?_b?=", "a b"),
        (b"=?utf-8?q?a?=\r\n =?iso-8859-1?q?b?=", "ab"),
        (b"=?utf-8?q?a?= x =?utf-8?q?b?=", "a x b"),
        (b"=?utf-8?B?w?= =?utf-8?B?7w=?=", "ü"),
        (b"=?utf-8?Q?=C3?= =?utf-8?B?vA==?=", "ü"),
        (b"=?iso-2022-jp?B?GyRCRnwbKEI=?= =?iso-2022-jp?B?GyRCS1wbKEI=?=", "日本"),
        ("grün".encode(), "grün"),
        (b"gr\xfcn", "grün"),
        ("grün", "grün"),
        (b"one\r\n two\r\n\tthree", "one two three"),
        (b"=?nonsense?Q?a=FC?=", "aü"),
        (b"=?utf-8?X?a?=", "=?X?a?=".replace("X", "utf-8?X")),
        (b"=?utf-8?Q?open", "=?utf-8?Q?open"),
        (b"=?utf-8?Q?a =?utf-8?Q?b?=", "=?utf-8?Q?a b"),
        (b"=?utf-8?Q?=3D=3Futf-8=3FQ=3Fx=3F=3D?=", "=?utf-8?Q?x?="),
        (b"=?utf-8?B?!!!?=", ""),
        (b"=?utf-8?Q?a b?=", "a b"),
        (b"=?utf-8?Q??=", ""),
    ],
)
def test_encoded_words_are_decoded_once(raw: bytes | str, text: str) -> None:
    """R-MIME-10."""
    assert decode_words(raw) == text


def test_controls_and_direction_overrides_do_not_survive() -> None:
    """R-MIME-10."""
    assert decode_words(b"a=?utf-8?Q?=0D=0ABcc:_x=00=1B[1m?=") == "a Bcc: x\ufffd[1m"
    assert decode_words("a\u202egnp.exe\u2066\u2029b") == "agnp.exeb"
    assert clean_text("one\ttwo\u0085\x07") == "one two"
    assert clean_text("שלום\u200f") == "שלום\u200f"

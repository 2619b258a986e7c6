"""Octets to text by the charsets mail really uses, and by no other codec Python may know."""

import re
from contextlib import suppress
from typing import NamedTuple


class Decoded(NamedTuple):
    """``problem`` says that the label was unknown or wrong, so that the text is a guess."""

    text: str
    problem: bool


# Codec of Python -> what mails call it, letters and digits only. A label often means the vendor's superset of itself
# (encoding.spec.whatwg.org says which), so iso-8859-1 is read as windows-1252, gb2312 as gb18030, euc-kr as cp949.
_NAMES = {
    "ascii": "ascii usascii ansix341968 ansix341986 iso646us us iso646irv1991 isoir6 646",
    "utf-8": "utf8 utf8mb4 unicode11utf8 xutf8",
    "utf-7": "utf7 unicode11utf7 csunicode11utf7",
    "utf-16": "utf16 ucs2 iso10646ucs2 unicode csunicode",
    "utf-16-le": "utf16le",
    "utf-16-be": "utf16be",
    "utf-32": "utf32 ucs4 iso10646ucs4",
    "utf-32-le": "utf32le",
    "utf-32-be": "utf32be",
    "cp1252": "iso88591 88591 latin1 l1 iso885911987 isoir100 ibm819 cp819 windows1252 cp1252 xcp1252 ansi win1252",
    "cp1250": "windows1250 cp1250 xcp1250 win1250",
    "cp1251": "windows1251 cp1251 xcp1251 win1251",
    "cp1253": "windows1253 cp1253 xcp1253",
    "cp1254": "windows1254 cp1254 xcp1254 iso88599 latin5 l5 iso885991989",
    "cp1255": "windows1255 cp1255 xcp1255",
    "cp1256": "windows1256 cp1256 xcp1256",
    "cp1257": "windows1257 cp1257 xcp1257",
    "cp1258": "windows1258 cp1258 xcp1258",
    "iso8859-2": "iso88592 88592 latin2 l2 iso885921987",
    "iso8859-3": "iso88593 88593 latin3 l3 iso885931988",
    "iso8859-4": "iso88594 88594 latin4 l4 iso885941988",
    "iso8859-5": "iso88595 88595 cyrillic iso885951988",
    "iso8859-6": "iso88596 88596 arabic iso885961987 iso88596e iso88596i asmo708 ecma114",
    "iso8859-7": "iso88597 88597 greek greek8 iso885971987 elot928 ecma118",
    "iso8859-8": "iso88598 88598 hebrew iso885981988 iso88598e iso88598i logical",
    "iso8859-10": "iso885910 latin6 l6",
    "cp874": "iso885911 tis620 tis6202533 windows874 cp874 dos874 thai8",
    "iso8859-13": "iso885913 latin7",
    "iso8859-14": "iso885914 latin8",
    "iso8859-15": "iso885915 latin9 latin0 l9",
    "iso8859-16": "iso885916 latin10",
    "cp437": "cp437 ibm437 437",
    "cp737": "cp737 ibm737",
    "cp775": "cp775 ibm775",
    "cp850": "cp850 ibm850 850",
    "cp852": "cp852 ibm852 852",
    "cp855": "cp855 ibm855",
    "cp857": "cp857 ibm857",
    "cp858": "cp858 ibm00858",
    "cp860": "cp860 ibm860",
    "cp861": "cp861 ibm861",
    "cp862": "cp862 ibm862 dos862",
    "cp863": "cp863 ibm863",
    "cp864": "cp864 ibm864",
    "cp865": "cp865 ibm865",
    "cp866": "cp866 ibm866 866",
    "cp869": "cp869 ibm869",
    "koi8-r": "koi8r koi8 koi",
    "koi8-u": "koi8u koi8ru",
    "koi8-t": "koi8t",
    "kz1048": "kz1048 rk1048 strk10482002",
    "ptcp154": "ptcp154 pt154 cp154",
    "mac-roman": "macintosh mac macroman xmacroman",
    "mac-latin2": "maccentraleurope xmacce xmaccentraleurope",
    "mac-cyrillic": "maccyrillic xmaccyrillic xmacukrainian",
    "mac-greek": "macgreek xmacgreek",
    "mac-turkish": "macturkish xmacturkish",
    "mac-iceland": "maciceland xmacicelandic",
    "gb18030": "gb18030 gbk cp936 ms936 windows936 xgbk gb2312 gb23121980 gb231280 csgb2312 euccn xeuccn chinese",
    "hz": "hz hzgb2312 hzgb",
    "cp950": "big5 bigfive cnbig5 xxbig5 csbig5 cp950 windows950 big5eten",
    "big5hkscs": "big5hkscs hkscs",
    "euc_jp": "eucjp xeucjp ujis xeuc",
    "euc_jis_2004": "eucjis2004 eucjisx0213",
    "cp932": "shiftjis sjis xsjis ms932 mskanji cp932 windows31j csshiftjis windows932",
    "shift_jis_2004": "shiftjis2004",
    "iso2022_jp_ext": "iso2022jp csiso2022jp iso2022jp1 iso2022jpms cp50220 cp50221 cp50222 iso2022jpext",
    "iso2022_jp_2": "iso2022jp2",
    "iso2022_jp_3": "iso2022jp3",
    "iso2022_jp_2004": "iso2022jp2004",
    "cp949": "euckr ksc56011987 ksc5601 ksc56011989 cp949 windows949 uhc korean csksc56011987 cseuckr isoir149 ms949",
    "johab": "johab cp1361",
    "iso2022_kr": "iso2022kr csiso2022kr",
}
_CODECS = {name: codec for codec, names in _NAMES.items() for name in names.split()}
_MAX_META = 4096
"""Octets of an HTML part in which a charset is looked for; browsers take 1,024."""
_META = re.compile(rb"<meta\s[^<>]{0,500}?charset\s{0,20}=\s{0,20}[\"']?\s{0,20}([a-z0-9_:.-]{1,40})", re.IGNORECASE)
_COMMENT = re.compile(rb"<!--.*?-->", re.DOTALL)
_NOT_A_NAME = re.compile(r"[^a-z0-9]+")
_ESCAPED = "iso2022_jp_ext"
"""What text with escapes of ISO-2022 is in that says nothing else."""
_SURROGATES = re.compile("[\ud800-\udfff]")
_BOMS = ((b"\xff\xfe\0\0", "utf-32"), (b"\0\0\xfe\xff", "utf-32"), (b"\xff\xfe", "utf-16"), (b"\xfe\xff", "utf-16"))


def decode_text(octets: bytes, charset: str | None) -> Decoded:
    """Text that JSON can carry: lone surrogates and NUL become U+FFFD, so that nothing which stood apart is joined."""
    decoded = decode_exactly(octets, charset)
    return decoded._replace(text=decoded.text.replace("\0", "\ufffd")) if "\0" in decoded.text else decoded


def decode_exactly(octets: bytes, charset: str | None) -> Decoded:
    """As ``decode_text``, but NUL stays: for those who have to know that it was there."""
    if not charset:
        return _guess(octets, labelled=False)
    codec = _codec(charset)
    if codec is None:
        return _guess(octets, labelled=True)
    if codec.startswith("utf-"):
        return _decode_unicode(octets, codec)
    try:
        return Decoded(octets.decode(codec), False)
    except UnicodeError:
        pass
    if codec == "ascii":  # what servers report if none is named (RFC 2045, 5.2)
        return _guess(octets, labelled=False)
    return Decoded(_scrub(octets.decode(codec, "replace")), True)


def is_foreign(octets: bytes) -> bool:
    """Whether header text is neither ASCII nor UTF-8: which charset it has, the header does not say (RFC 6532 allows
    UTF-8 alone). Escapes of ISO-2022 count, and those of HZ."""
    if octets.isascii():
        return b"\x1b" in octets or b"~{" in octets
    try:
        octets.decode("utf-8")
    except UnicodeError:
        return True
    return False


def is_hint(charset: str | None) -> bool:
    """Whether a declared charset may be that of header text which is foreign."""
    codec = _codec(charset) if charset else None
    return codec is not None and codec != "ascii" and not codec.startswith("utf-")


def in_utf8(octets: bytes, charset: str | None) -> bytes:
    """Foreign header text of that charset in UTF-8, and anything else as it is. This comes before the text is parsed,
    because in East Asian charsets an octet that looks like a quote or a backslash may be half of a character."""
    if not is_foreign(octets):
        return octets
    codec = _codec(charset) if charset and is_hint(charset) else _ESCAPED if b"\x1b$" in octets else None
    if codec is None:
        return octets
    try:
        text = octets.decode(codec)
    except UnicodeError:
        return octets
    return octets if _SURROGATES.search(text) else text.encode()


def html_charset(octets: bytes, charset: str | None) -> str | None:
    """The charset of an HTML part: the part's own, else the one that a ``meta`` element near its beginning names.
    Servers report US-ASCII for a part that names none (RFC 2045, 5.2), so that does not count if the octets are not
    ASCII."""
    is_named = charset and (octets.isascii() or _codec(charset) != "ascii")
    found = None if is_named else _META.search(_COMMENT.sub(b"", octets[:_MAX_META]))
    if found is None:
        return charset
    label = found[1].decode("ascii")
    codec = _codec(label)
    if codec is None:
        return charset
    return "utf-8" if codec.startswith(("utf-16", "utf-32")) else label  # in those no tag would be ASCII


def _codec(charset: str) -> str | None:
    return _CODECS.get(_NOT_A_NAME.sub("", charset[:64].lower()))


def _decode_unicode(octets: bytes, codec: str) -> Decoded:
    for bom, real in _BOMS:
        if octets.startswith(bom) and codec[:6] in {real, "utf-16", "utf-32"}:
            codec = real
            break
    else:
        codec = _byte_order(octets, codec)
    try:
        text = octets.decode(codec)
    except UnicodeError:
        if codec == "utf-8":
            return _guess(octets, labelled=True)
        return Decoded(_scrub(octets.decode(codec, "replace")), True)
    text = text.removeprefix("\ufeff")
    # UTF-7 is the one codec of these that lets lone surrogates through.
    scrubbed = _scrub(text) if codec == "utf-7" else text
    return Decoded(scrubbed, scrubbed != text)


def _byte_order(octets: bytes, codec: str) -> str:
    """Without a byte order mark the zeros of western text tell; RFC 2781 (4.3) says big-endian, senders say little."""
    if codec not in {"utf-16", "utf-32"}:
        return codec
    start = octets[:2048]
    if codec == "utf-32":
        return "utf-32-be" if start[::4].count(0) > start[3::4].count(0) else "utf-32-le"
    return "utf-16-be" if start[::2].count(0) > start[1::2].count(0) else "utf-16-le"


def _guess(octets: bytes, *, labelled: bool) -> Decoded:
    """UTF-8 does not happen by chance, nor do escapes of ISO-2022-JP; what is neither is most often windows-1252."""
    if b"\x1b$" in octets and octets.isascii():
        with suppress(UnicodeError):
            return Decoded(octets.decode(_ESCAPED), labelled)
    try:
        return Decoded(octets.decode("utf-8").removeprefix("\ufeff"), labelled)
    except UnicodeDecodeError as error:
        if _is_nearly_utf8(octets, error):
            return Decoded(octets.decode("utf-8", "replace").removeprefix("\ufeff"), True)
        return Decoded(octets.decode("cp1252", "replace"), True)


def _is_nearly_utf8(octets: bytes, error: UnicodeDecodeError) -> bool:
    """Whether it is UTF-8 that was cut, or to which something else was added: a character that lacks only its last
    octet, or more that are right than wrong."""
    if error.reason == "unexpected end of data" and error.end - error.start > 1:
        return True
    text = octets.decode("utf-8", "replace")
    wrong = text.count("\ufffd")
    return len(text) - len(text.encode("ascii", "ignore")) > 2 * wrong


def _scrub(text: str) -> str:
    return _SURROGATES.sub("\ufffd", text)

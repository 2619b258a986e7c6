"""Header blocks and the values of structured fields."""

from datetime import datetime

import pytest

from service.mail.mime.headers.dates import parse_date
from service.mail.mime.headers.fields import first, list_headers, parse_message_ids, split_headers
from service.mail.mime.headers.filenames import file_name
from service.mail.mime.headers.parameters import parse_parameters


def test_a_block_is_split_whatever_its_line_breaks() -> None:
    """R-MIME-07."""
    block = b"From x Mon Jan 1\nA: 1\r\nB : two\n\tlines\r\nno field here\nC:\n\nD: body\n"
    headers = split_headers(block)
    assert headers == (("A", b" 1"), ("B", b" two\n\tlines"), ("C", b""))
    assert first(headers, "b") == b" two\n\tlines"
    assert first(headers, "x") is None


def test_a_block_that_begins_empty_has_no_fields() -> None:
    """R-MIME-07."""
    assert split_headers(b"\r\nA: 1\r\n") == ()
    assert split_headers(b"") == ()


def test_a_block_ends_at_its_limits() -> None:
    """R-MIME-07."""
    assert len(split_headers(b"A: b\n" * 1000)) == 1000
    assert len(split_headers(b"A: b\n" * 1001)) == 1000
    assert len(split_headers(b"A: " + b"x" * 300_000)[0].raw) < 256 * 1024


def test_fields_are_shown_decoded_and_raw() -> None:
    """R-MIME-11."""
    block = b"Subject: =?utf-8?Q?gr=C3=BCn?=\r\n x\r\nX: \xfc\r\n"
    assert [(h.name, h.value, h.raw) for h in list_headers(block)] == [
        ("Subject", "grün x", " =?utf-8?Q?gr=C3=BCn?=\r\n x"),
        ("X", "ü", " ü"),
    ]
    assert [h.name for h in list_headers(block, ["x"])] == ["X"]


@pytest.mark.parametrize(
    ("raw", "value", "parameters"),
    [
        (b"text/plain", "text/plain", {}),
        (b" TEXT/Plain ; charset=US-ASCII (comment)", "text/plain", {"charset": "US-ASCII"}),
        (b'attachment; filename="a;b\\"c.txt"', "attachment", {"filename": 'a;b"c.txt'}),
        (b'x/y; name="C:\\path\\file.txt"', "x/y", {"name": "C:\\path\\file.txt"}),
        (b"x/y; name=two words.txt; a=b", "x/y", {"name": "two words.txt", "a": "b"}),
        (b"x/y; name*=utf-8'de'gr%C3%BCn.txt; name=other", "x/y", {"name": "grün.txt"}),
        (b"x/y; name*1=\"b.txt\"; name*0*=utf-8''%C3%BC", "x/y", {"name": "üb.txt"}),
        (b"x/y; name*0*=utf-8''%C3; name*1*=%BC", "x/y", {"name": "ü"}),
        (b'x/y; name="=?utf-8?Q?gr=C3=BCn?="', "x/y", {"name": "grün"}),
        (b"x/y; name=gr\xfcn", "x/y", {"name": "grün"}),
        (b'x/y; boundary="=?utf-8?Q?a?="', "x/y", {"boundary": "=?utf-8?Q?a?="}),
        (b'multipart/mixed\r\n\tboundary="b"', "multipart/mixed", {"boundary": "b"}),
        (b'x/y; name="a "b" c.pdf"; a=b', "x/y", {"name": 'a "b" c.pdf', "a": "b"}),
        (b'x/y; name="a.pdf" b; a="b"c"', "x/y", {"name": "a.pdf", "a": "b"}),
        (b'x/y; name="open; a=b', "x/y", {"name": "open", "a": "b"}),
        (b"x/y; a=1; a=2; ; =; b", "x/y", {"a": "1"}),
        (b"image / jpeg", "image/jpeg", {}),
        (b"", "", {}),
        (";", "", {}),
    ],
)
def test_parameters_are_read(raw: bytes | str, value: str, parameters: dict[str, str]) -> None:
    """R-MIME-07."""
    assert parse_parameters(raw) == (value, parameters)


@pytest.mark.parametrize(
    ("raw", "iso"),
    [
        (b" Tue, 1 Jul 2003 10:52:37 +0200", "2003-07-01T10:52:37+02:00"),
        (b"1 Jul 03 10:52 GMT", "2003-07-01T10:52:00+00:00"),
        (b"Tue, 1 Jul 2003 10:52:37 -0800 (PST)", "2003-07-01T10:52:37-08:00"),
        (b"Tue Jul  1 10:52:37 2003", "2003-07-01T10:52:37+00:00"),
        (b"1 Jul 2003 10:52:60 EST", "2003-07-01T10:52:59-05:00"),
        ("2003-07-01T10:52:37+02:00", "2003-07-01T10:52:37+02:00"),
        (b"Tue, 1 Jul 2003 10:52:37 +02:00", "2003-07-01T10:52:37+02:00"),
        (b"Mon, 1 (a (nested) comment) Jul 1999 10:00:00 +0000", "1999-07-01T10:00:00+00:00"),
        (b"Tue, 1 Jul 103 10:52:37 +0000", "2003-07-01T10:52:37+00:00"),
    ],
)
def test_dates_keep_their_offset(raw: bytes | str, iso: str) -> None:
    """R-MIME-20."""
    assert parse_date(raw) == datetime.fromisoformat(iso)
    found = parse_date(raw)
    assert found is not None
    assert found.isoformat() == iso


@pytest.mark.parametrize(
    "raw",
    [
        None,
        b"",
        b"yesterday",
        b"1 Jul 2003 10:52:37 +99999999",
        b"1 Jul 2003 10:52:37 +9999",
        b"1 Jul 0 10:52:37 +0000",
        b"1 Jul 0000 10:52:37 +0000",
        b"1 Jul 99999 10:52:37 +0000",
        b"9" * 5000,
        b"32 Jul 2003 10:52:37 +0000",
        b"1 Foo 2003 10:52:37 +0000",
        b"1 Jul 2003 25:52:37 +0000",
        b"31 Dec 9999 23:59:59 -1200",
        b"\0\xff",
    ],
)
def test_text_that_is_not_a_date_is_none(raw: bytes | None) -> None:
    """R-MIME-20."""
    found = parse_date(raw)
    assert found is None or found.utcoffset() is not None
    if raw != b"1 Jul 2003 10:52:37 +99999999":
        assert found is None


def test_message_ids_lose_their_brackets() -> None:
    """R-MIME-11."""
    assert parse_message_ids(b" <a@x>\r\n <b@y>") == ("a@x", "b@y")
    assert parse_message_ids(b"a@x") == ("a@x",)
    assert parse_message_ids(b'"Your message of Tuesday"') == ()
    assert parse_message_ids(b"<>") == ()
    assert parse_message_ids(None) == ()


@pytest.mark.parametrize(
    ("raw", "name"),
    [
        ("a.txt", "a.txt"),
        ("../../etc/passwd", "passwd"),
        ("C:\\dir\\a.txt", "a.txt"),
        ("a\u202egpj.exe", "agpj.exe"),
        ("a.exe. . ", "a.exe"),
        ("con.txt", "_con.txt"),
        ('a<b>:"|?*.txt', "a_b______.txt"),
        ("a\0\r\nb", "ab"),
        ("..", None),
        ("", None),
        (None, None),
        ("\u200b\u2060", None),
        ("a\u200b.pdf", "a.pdf"),
        ("  a  b ", "a b"),
        (b"=?utf-8?Q?gr=C3=BCn.txt?=", "grün.txt"),
        (b"gr\xfcn.txt", "grün.txt"),
        ("a/b/", "b"),
        ("grün.txt", "grün.txt"),
        ("u\u0308.txt", "ü.txt"),
    ],
)
def test_file_names_are_safe_to_save(raw: bytes | str | None, name: str | None) -> None:
    """R-MIME-17."""
    assert file_name(raw) == name


def test_a_long_file_name_keeps_its_extension() -> None:
    """R-MIME-17."""
    assert file_name("a" * 146 + ".pdf") == "a" * 146 + ".pdf"
    assert file_name("a" * 147 + ".pdf") == "a" * 146 + ".pdf"
    long = file_name("日" * 300 + ".pdf")
    assert long is not None
    assert long.endswith("日.pdf")
    assert len(long.encode()) <= 240

"""The tree of a message, its ids and offsets."""

import pytest

from service.mail.mime.structure import Entity, find, parse


def outline(entity: Entity) -> list[tuple[str, str]]:
    found = [(entity.part.id, entity.part.type)]
    for child in entity.children:
        found += outline(child)
    return found


def body(source: bytes, part_id: str) -> bytes:
    entity = find(parse(source), part_id)
    assert entity is not None
    return source[entity.body_start : entity.stop]


MIXED = (
    b"Subject: x\r\nContent-Type: multipart/mixed; boundary=out\r\n\r\npreamble\r\n"
    b'--out\r\nContent-Type: multipart/alternative; boundary="in ner"\r\n\r\n'
    b"--in ner\r\n\r\ntext\r\n"
    b"--in ner  \r\nContent-Type: text/html\r\n\r\n<p>html\r\n"
    b"--in ner--\r\nepilogue\r\n"
    b"--out\r\nContent-Type: message/rfc822\r\n\r\n"
    b"Subject: inner\r\nContent-Type: multipart/mixed; boundary=deep\r\n\r\n"
    b"--deep\r\n\r\nfirst\r\n--deep\r\n\r\nsecond\r\n"
    b"--deep--\r\n"
    b"--out\r\nContent-Type: message/rfc822\r\n\r\nSubject: plain\r\n\r\nwords\r\n"
    b"--out--\r\ntrailer"
)


def test_ids_are_those_of_imap() -> None:
    """R-MIME-02."""
    assert outline(parse(MIXED)) == [
        ("0", "multipart/mixed"),
        ("1", "multipart/alternative"),
        ("1.1", "text/plain"),
        ("1.2", "text/html"),
        ("2", "message/rfc822"),
        ("2.0", "multipart/mixed"),
        ("2.1", "text/plain"),
        ("2.2", "text/plain"),
        ("3", "message/rfc822"),
        ("3.1", "text/plain"),
    ]
    assert find(parse(MIXED), "4") is None


@pytest.mark.parametrize("source", [MIXED, MIXED.replace(b"\r\n", b"\n")], ids=["crlf", "lf"])
def test_bodies_end_before_the_line_break_of_the_delimiter(source: bytes) -> None:
    """R-MIME-05."""
    assert body(source, "1.1") == b"text"
    assert body(source, "1.2") == b"<p>html"
    assert body(source, "2.2") == b"second"
    assert body(source, "3.1") == b"words"


def test_a_tenth_part_has_children_of_its_own() -> None:
    """R-MIME-05."""
    inner = b"Content-Type: multipart/mixed; boundary=i\n\n--i\n\nx\n--i--\n"
    source = (
        b"Content-Type: multipart/mixed; boundary=o\n\n" + b"".join(b"--o\n" + inner for _ in range(10)) + b"--o--\n"
    )
    assert outline(parse(source))[-1] == ("10.1", "text/plain")


def test_a_message_without_structure_is_part_one() -> None:
    """R-MIME-05."""
    assert outline(parse(b"Subject: x\n\nhello")) == [("1", "text/plain")]
    assert body(b"Subject: x\n\nhello", "1") == b"hello"
    assert body(b"no header at all\nreally", "1") == b"no header at all\nreally"
    assert body(b"\nhello", "1") == b"hello"
    assert body(b"Subject: only a header", "1") == b""
    assert body(b"", "1") == b""


def test_a_message_that_is_a_message_has_it_inside() -> None:
    """R-MIME-04."""
    source = b"Content-Type: message/rfc822\n\nContent-Type: multipart/mixed; boundary=b\n\n--b\n\nx\n--b--\n"
    assert outline(parse(source)) == [("1", "message/rfc822"), ("1.0", "multipart/mixed"), ("1.1", "text/plain")]


def test_an_encoded_message_is_a_leaf() -> None:
    """R-MIME-09."""
    source = b"Content-Type: message/rfc822\nContent-Transfer-Encoding: base64\n\nU3ViamVjdDogeA=="
    assert outline(parse(source)) == [("1", "message/rfc822")]


def test_a_boundary_that_begins_like_another_is_not_the_other() -> None:
    """R-MIME-05."""
    source = (
        b"Content-Type: multipart/mixed; boundary=b\n\n--b\nContent-Type: multipart/mixed; boundary=bb\n\n"
        b"--bb\n\none\n--bbb\nstill one\n--bb--\n--b\n\ntwo\n--b--\n"
    )
    assert outline(parse(source))[1:] == [("1", "multipart/mixed"), ("1.1", "text/plain"), ("2", "text/plain")]
    assert body(source, "1.1") == b"one\n--bbb\nstill one"


def test_a_missing_end_closes_what_is_open() -> None:
    """R-MIME-05."""
    source = (
        b"Content-Type: multipart/mixed; boundary=o\n\n--o\nContent-Type: multipart/mixed; boundary=i\n\n--i\n\none\n"
        b"--o\n\ntwo\n"
    )
    assert outline(parse(source))[1:] == [("1", "multipart/mixed"), ("1.1", "text/plain"), ("2", "text/plain")]
    assert body(source, "2") == b"two\n"


def test_a_part_may_lack_its_empty_line() -> None:
    """R-MIME-05."""
    source = b"Content-Type: multipart/mixed; boundary=b\n\n--b\nContent-Type: text/html\n--b\nno header\n--b--\n"
    assert outline(parse(source))[1:] == [("1", "text/html"), ("2", "text/plain")]
    assert body(source, "1") == b""
    assert body(source, "2") == b"no header"


@pytest.mark.parametrize(
    ("part", "text"),
    [
        (
            b"Content-Type: text/plain;\r\n charset=utf-8\r\nno empty line\r\nbefore this",
            b"no empty line\r\nbefore this",
        ),
        (b"Content-Type: text/plain\r\nno field\r\nContent-Language: de", b""),
        (b"Content-Type: text/plain\r\nno field\r\n\r\nthe text", b"the text"),
        (b"Content-Type: text/plain\r\n \t", b""),
    ],
)
def test_text_may_follow_the_fields_of_a_part(part: bytes, text: bytes) -> None:
    """R-MIME-05: if no empty line and no more fields do."""
    source = b"Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n%b\r\n--b--\r\n" % part
    assert body(source, "1") == text


@pytest.mark.parametrize("boundary", [b"", b"; boundary=", b'; boundary=""', b'; boundary="  "'])
def test_without_a_boundary_there_are_no_parts(boundary: bytes) -> None:
    """R-MIME-05."""
    source = b"Content-Type: multipart/mixed" + boundary + b"\n\n--\n\nhello\n----\n"
    assert parse(source).children == ()


def test_the_depth_limit_cuts_and_says_so() -> None:
    """R-MIME-04."""

    def nested(levels: int) -> bytes:
        return (
            b"".join(
                b"Content-Type: multipart/mixed; boundary=b%d\n\n--b%d\n" % (level, level) for level in range(levels)
            )
            + b"\nx"
        )

    assert not parse(nested(100)).is_truncated
    cut = parse(nested(101))
    assert cut.is_truncated
    assert outline(cut)[-1][1] == "multipart/mixed"


def test_the_part_limit_cuts_and_says_so() -> None:
    """R-MIME-05."""

    def flat(parts: int) -> bytes:
        return b"Content-Type: multipart/mixed; boundary=b\n\n" + b"--b\n\nx\n" * parts + b"--b--\n"

    assert not parse(flat(999)).is_truncated
    assert len(parse(flat(999)).children) == 999
    cut = parse(flat(1000))
    assert cut.is_truncated
    assert len(cut.children) == 999


def test_a_digest_holds_messages() -> None:
    """R-MIME-02."""
    source = b"Content-Type: multipart/digest; boundary=b\n\n--b\n\nSubject: a\n\nhello\n--b--\n"
    assert outline(parse(source))[1:] == [("1", "message/rfc822"), ("1.1", "text/plain")]


def test_a_part_tells_what_it_declares() -> None:
    """R-MIME-02."""
    part = parse(
        b"Content-Type: Image/PNG; name=other.png\nContent-Transfer-Encoding: BASE64 (so)\nContent-ID: <x@y>\n"
        b'Content-Disposition: Inline; filename="../a.png"\nContent-Language: de, en\n\nAAAA\n'
    ).part
    assert (part.type, part.name, part.encoding, part.cid) == ("image/png", "a.png", "base64", "x@y")
    assert (part.disposition, part.language, part.size) == ("inline", ("de", "en"), 5)


@pytest.mark.parametrize(
    ("declared", "type_"),
    [
        (b"text", "text/plain"),
        (b"image", "application/octet-stream"),
        (b"foo bar", "text/plain"),
        (b"a/b/c", "text/plain"),
        (b"", "text/plain"),
        (b"\xff/\xff", "text/plain"),
        (b"application/x; y", "application/x"),
    ],
)
def test_a_broken_type_is_replaced(declared: bytes, type_: str) -> None:
    """R-MIME-16."""
    assert parse(b"Content-Type: " + declared + b"\n\nx").part.type == type_

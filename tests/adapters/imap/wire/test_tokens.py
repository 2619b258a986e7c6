"""Responses to values."""

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st
from imapclient.response_parser import parse_response

from service.adapters.imap.wire.tokens import MAX_DEPTH, MAX_TOKENS, Token, parse
from service.mail.errors import UpstreamProtocol

quoted = (
    st.binary(max_size=12)
    .filter(lambda octets: not set(octets) & {0, 10, 13})
    .map(lambda octets: b'"' + octets.replace(b"\\", b"\\\\").replace(b'"', b'\\"') + b'"')
)
atoms = st.text("abcXYZ019.-_$\\", min_size=1, max_size=8).map(str.encode).filter(lambda atom: atom.upper() != b"NIL")
literals = st.binary(max_size=20).map(lambda octets: b"{%d}\r\n%b" % (len(octets), octets))
leaves = st.one_of(quoted, atoms, literals, st.sampled_from([b"NIL", b"12", b"BODY[HEADER.FIELDS (DATE TO)]<0>"]))
trees = st.recursive(
    leaves, lambda inner: st.lists(inner, max_size=4).map(lambda found: b"(" + b" ".join(found) + b")")
)


@pytest.mark.parametrize(
    ("text", "values"),
    [
        (b'(UID 1 FLAGS (\\Seen $x))', [[b"UID", b"1", b"FLAGS", [b"\\Seen", b"$x"]]]),
        (b'(ENVELOPE (NIL ":(" "NIL" "a\\"b\\\\" ""))', [[b"ENVELOPE", [None, b":(", b"NIL", b'a"b\\', b""]]]),
        (b"(BODY[1] {4}\r\nNIL) BODY[2.MIME]<10> {3}\r\n(\r\n)", [[b"BODY[1]", b"NIL)", b"BODY[2.MIME]<10>", b"(\r\n"]]),
        (b"(BODY[HEADER.FIELDS (DATE TO)] {0}\r\n)", [[b"BODY[HEADER.FIELDS (DATE TO)]", b""]]),
        (b"(FLAGS (BODY[ BODY[x]y BINARY[1) BODY[1.TEXT ] {0}\r\n)",
         [[b"FLAGS", [b"BODY[", b"BODY[x]", b"y", b"BINARY[1"], b"BODY[1.TEXT ]", b""]]),
        (b"(BINARY[1] ~{2}\r\n\x00\xff)", [[b"BINARY[1]", b"\x00\xff"]]),
        (b'("5 * 3" "a* b" "\xfc")', [[b"5 * 3", b"a* b", b"\xfc"]]),
        (b'("a" "b")("c")', [[b"a", b"b"], [b"c"]]),
        (b"()", [[]]),
        (b"", []),
    ],
)  # fmt: skip
def test_values_are_read_exactly(text: bytes, values: list[Token]) -> None:
    assert parse(text) == values


@pytest.mark.parametrize("text", [b"(", b")", b"(()", b"())", b'("', b'(a "b)', b"(a\r\nb)", b"(" * 200 + b")" * 199])
def test_text_that_does_not_nest_is_refused(text: bytes) -> None:
    """R-IMAP-16: unbalanced, by an error of the tree."""
    with pytest.raises(UpstreamProtocol):
        parse(text)


def test_nesting_below_the_cap_is_left_out() -> None:
    """R-IMAP-16: at the limit, one above and far above; a literal there is no parenthesis, and what follows is read."""

    def nested(levels: int) -> bytes:
        return b"(" * levels + b"x" + b")" * levels

    def innermost(token: Token) -> Token:
        while isinstance(token, list) and token:
            [token] = token
        return token

    assert innermost(parse(nested(MAX_DEPTH))) == b"x"
    assert innermost(parse(nested(MAX_DEPTH + 1))) == []
    assert innermost(parse(nested(10_000))) == []
    literal = nested(MAX_DEPTH + 1).replace(b"x", b"{2}\r\n))")
    assert [innermost(token) for token in parse(literal + b" behind")] == [[], b"behind"]


def test_a_million_parentheses_are_refused_and_five_thousand_siblings_read() -> None:
    """R-IMAP-16: linear, without recursion."""
    with pytest.raises(UpstreamProtocol):
        parse(b"(" * 1_000_000)
    assert len(parse(b"(" + b"(a b)" * 5000 + b")")[0] or ()) == 5000


@pytest.mark.parametrize("text", [b"(a b)", b'"a" ', b"a ", b"{0}\r\n", b"() ", b'"\\a" '], ids=repr)
def test_tokens_are_counted_before_they_are_created(text: bytes) -> None:
    """R-IMAP-31: at the limit it is read; a line of a mebibyte that holds more is refused."""
    assert parse(text * 5000)
    with pytest.raises(UpstreamProtocol):
        parse(text * (MAX_TOKENS + 1))


@pytest.mark.parametrize("text", [b'"', b'"a', b'(a "b', b'"\\', b'"a\\"', b'"a {3}\r\nabc'], ids=repr)
def test_a_quote_that_is_never_closed_is_a_broken_answer(text: bytes) -> None:
    """R-IMAP-31: however it ends."""
    with pytest.raises(UpstreamProtocol):
        parse(text)


@pytest.mark.parametrize(
    ("text", "value"),
    [(rb'"\\"', b"\\"), (rb'"\""', b'"'), (rb'"a\\\"b"', b'a\\"b'), (rb'"\a"', b"a"), (rb'"\\\\n"', b"\\\\n")],
)  # fmt: skip
def test_escapes_are_read_from_the_left(text: bytes, value: bytes) -> None:
    """Each backslash takes the octet behind it, another backslash too."""
    assert parse(text) == [value]


@given(st.binary(max_size=200))
def test_any_octets_give_values_or_the_one_error(octets: bytes) -> None:
    """R-IMAP-16: garbage is answered by values or by one error."""
    with suppress(UpstreamProtocol):
        parse(octets)


def as_imapclient(values: Token) -> object:
    """Numbers and lists as IMAPClient gives them."""
    if isinstance(values, list):
        return tuple(as_imapclient(value) for value in values)
    return int(values) if values is not None and values.isdigit() else values


@given(trees)
def test_it_agrees_with_an_independent_parser(text: bytes) -> None:
    """Held against IMAPClient, which takes literals apart from the text around them. It keeps the brackets of a
    section apart and reads quoted digits as numbers, so those are left out."""
    if b"BODY[" in text:
        text = text.replace(b"BODY[HEADER.FIELDS (DATE TO)]<0>", b"RFC822.HEADER")
    pieces: list[bytes | tuple[bytes, bytes]] = []
    at = 0
    while (end := text.find(b"\r\n", at)) >= 0:
        size = int(text[text.rindex(b"{", at, end) + 1 : end - 1])
        pieces.append((text[at:end], text[end + 2 : end + 2 + size]))
        at = end + 2 + size
    pieces.append(text[at:])
    expected = parse_response([*pieces])
    assert tuple(as_imapclient(value) for value in parse(text)) == tuple(_numbers(value) for value in expected)


def _numbers(value: object) -> object:
    if isinstance(value, tuple | list):
        return tuple(_numbers(one) for one in value)
    return int(value) if isinstance(value, bytes) and value.isdigit() else value

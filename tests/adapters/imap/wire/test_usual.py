"""Usual rows, read by an expression: the same as by tokens, or not at all."""

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from service.adapters.imap.messages.folder_messages import read_row
from service.adapters.imap.wire.responses import SEQUENCE, each_row
from service.adapters.imap.wire.tokens import Token
from service.adapters.imap.wire.usual import USUAL, described, usual_row
from service.mail.errors import UpstreamProtocol
from tests.pumps import growth

ITEMS = b'FLAGS (\\Seen $x) INTERNALDATE "01-Jan-2026 08:00:00 +0100" RFC822.SIZE 4711 '
PEOPLE = b'(("Ann" NIL "ann" "example.org")(NIL NIL "ben" "example.net"))'
TEXT = b'("text" "plain" ("charset" "utf-8") NIL NIL "7bit" 12 1 NIL NIL NIL NIL)'
PDF = (
    b'("application" "pdf" ("name" "a b.pdf") "<c@d>" NIL "base64" 70 NIL ("attachment" ("filename" "a.pdf")) NIL NIL)'
)
LOGO = b'("image" "png" ("name" "a.png") "<c@d>" NIL "base64" 70 NIL ("inline" ("filename" "a.png")) NIL NIL)'
RELATED = b'(%b%b "related" ("boundary" "=_y-1") NIL NIL NIL)' % (TEXT, LOGO)
MIXED = b'(%b%b "mixed" ("boundary" "=_x-1") NIL NIL NIL)' % (TEXT, PDF)
FIELDS = b"From: Ann <ann@example.org>, ben@example.net\r\nSubject: a\r\n\r\n"


def response(
    subject: bytes = b'"a"',
    people: bytes = PEOPLE,
    structure: bytes = TEXT,
    items: bytes = ITEMS,
    fields: bytes | None = FIELDS,
) -> bytes:
    envelope = b'("Thu, 1 Jan 2026 08:00:00 +0100" %b %b %b NIL %b NIL NIL NIL "<m@example.org>")'
    header = (
        b"" if fields is None else b" BODY[HEADER.FIELDS (DATE FROM TO SUBJECT)]<0> {%d}\r\n%b" % (len(fields), fields)
    )
    described = envelope % (subject, people, people, people)
    return b"7 FETCH (UID 9 %bENVELOPE %b BODYSTRUCTURE %b%b)" % (items, described, structure, header)


def rows(octets: bytes, *, as_usual: bool) -> dict[int, dict[bytes, Token]] | str:
    try:
        return dict(each_row([octets], as_usual=as_usual))
    except UpstreamProtocol as error:
        return error.detail


def assert_same(octets: bytes) -> None:
    usual, general = rows(octets, as_usual=True), rows(octets, as_usual=False)
    if isinstance(usual, str) or isinstance(general, str):
        assert usual == general
        return
    assert usual.keys() == general.keys()
    for uid, row in usual.items():
        one, other = read_row(row, "m", "f"), read_row(general[uid], "m", "f")
        assert (one.row, one.details) == (other.row, other.details)
        assert (one.thread_id, one.email_id) == (other.thread_id, other.email_id)
        assert {key: value for key, value in row.items() if key != USUAL} == {
            key: value
            for key, value in general[uid].items()
            if key not in {b"ENVELOPE", b"BODYSTRUCTURE"} or USUAL not in row
        }


@pytest.mark.parametrize(
    "octets",
    [
        response(),
        response(structure=MIXED),
        response(structure=MIXED.replace(b"=_x-1", b"----")),
        response(structure=MIXED.replace(b" 70 ", b" 0 ")),
        response(structure=RELATED),
        response(structure=RELATED.replace(b'"<c@d>"', b"NIL")),
        response(structure=RELATED.replace(b"<c@d>", b"<>")),
        response(structure=RELATED.replace(b"a.png", b"")),
        response(structure=b"(%b \"mixed\" NIL NIL NIL NIL)" % TEXT.replace(b" 12 1", b" 0 0")),
        response(structure=MIXED.replace(b'("boundary"', b'("type" "boundary" "boundary"')),
        response(structure=MIXED.replace(b'("boundary"', b'("BOUNDARY"')),
        response(structure=MIXED.replace(b"=_x-1", b"a" * 55 + b" 1234567890123456 b")),
        response(structure=MIXED.replace(b'("name"', b'("x" "surname" "name"').replace(b'"attachment"', b'"inline"')),
        response(structure=b'(%b%b "mixed")' % (TEXT, PDF.replace(b'"<c@d>" NIL', b'NIL "Company name"'))),
        response(structure=b'(%b%b "mixed")' % (TEXT, PDF.replace(b'NIL "base64"', b'NIL "<x>"'))),
        response(structure=TEXT.replace(b"NIL NIL)", b'("inline" ("x" "boundary" "filename*" "UTF-8\'\'a")) NIL)')),
        response(people=b'((NIL NIL "=?utf-8?b?" "?=")("Ann" NIL "=?utf-8?b?" "?="))', fields=None),
        response(items=b"FLAGS (\\Seen BODY[ BINARY[x NIL) RFC822.SIZE 12 "),
        response(subject=b"{5}\r\n)( \"x"),
        response(subject=b'"a \\"quoted\\" word"'),
        response(subject=b"NIL"),
        response(subject=b'"=?utf-8?q?=C3=BC?="', fields=FIELDS.replace(b": a", b": =?utf-8?q?=C3=BC?=")),
        response(people=b'(("a@b" NIL "x" "MISSING_DOMAIN"))'),
        response(people=b'(("" NIL "ann" "example.org"))'),
        response(people=b'(("=?utf-8?q?=C3=BC?=" NIL "ann" "example.org")("\\"B\\"" NIL "b" "example.org"))'),
        response(people=b'((NIL NIL "group" NIL)(NIL NIL "ann" "example.org")(NIL NIL NIL NIL))'),
        response(fields=b"From: a@example.org <b@example.org>\r\nSubject: a\r\n\r\n"),
        response(fields="From: Ann <ann@example.org>\r\nSubject: ü\r\n\r\n".encode("latin-1")),
        response(items=b'X-GM-LABELS ("\\\\Inbox" a "b c") X-GM-THRID 12 X-GM-MSGID 34 ' + ITEMS),
        response(items=b"MODSEQ (12) " + ITEMS),
        response(fields=None),
    ],
)  # fmt: skip
def test_a_usual_row_is_read_as_by_tokens(octets: bytes) -> None:
    """R-IMAP-16: strings with escapes, a subject as a literal, Gmail's items, attachments, doubtful parts."""
    assert usual_row(octets) is not None
    assert_same(octets)


@pytest.mark.parametrize(
    "octets",
    [
        response(structure=b'(%b "mixed"' % TEXT),
        response(people=b"NIL", fields=b"Subject: a\r\n\r\n"),
        response(subject=b"{9}\r\na"),
        response(subject=b'"a'),
        response(people=b'(("Ann" NIL "ann"))'),
        response(people=b'({3}\r\nAnn NIL "a" "b")'),
        response(structure=b"(" * 20 + b")" * 20),
        response(structure=PDF.replace(b"a b.pdf", b'a "BODY[" b')),
        response(structure=PDF.replace(b"a b.pdf", b'a "name" "b(" "c)" d')),
        response().replace(b"ENVELOPE (", b"ENVELOPE NIL ("),
        response() + b"x",
        response().replace(b"TO SUBJECT", b"TO S]UBJECT"),
        response().replace(b"FETCH", b"fetch"),
        b"7 FETCH (UID 9 FLAGS (\\Seen))",
        b"7 FETCH (FLAGS (\\Seen) UID 9 MODSEQ (3))",
        response(fields=b"x" * 20_000),
    ],
)
def test_other_rows_are_read_as_tokens(octets: bytes) -> None:
    """R-IMAP-16: what breaks the grammar, other orders, and long responses."""
    assert usual_row(octets) is None
    assert_same(octets)


def test_responses_about_one_message_are_compared() -> None:
    """R-IMAP-16: a usual one and one of tokens contradict each other as two of tokens do."""
    row = usual_row(response())
    assert row is not None
    usual = described(row)
    assert usual is not None
    assert (usual.date, usual.subject) == (b"Thu, 1 Jan 2026 08:00:00 +0100", b"a")
    assert SEQUENCE not in row
    assert usual.written in response()


words = st.text('ab @<>,.=?_-;:\\"(){}[]NIL0123\xfc\r\n', max_size=12).map(lambda text: text.encode("latin-1"))
quoted = words.map(lambda word: b'"%b"' % re.sub(rb'(["\\])', rb"\\\1", re.sub(rb"[\r\n]", b"", word)))
strings = st.one_of(st.just(b"NIL"), quoted, words.map(lambda word: b"{%d}\r\n%b" % (len(word), word)))
mailboxes = st.tuples(strings, st.just(b"NIL"), strings, strings).map(lambda each: b"(%b)" % b" ".join(each))
people = st.one_of(
    st.just(b"NIL"), st.lists(mailboxes, min_size=1, max_size=3).map(lambda each: b"(%b)" % b"".join(each))
)
keys = st.sampled_from([b'"name"', b'"surname"', b'"FILENAME"', b'"filename*"', b'"boundary"', b'"x"'])
values = st.one_of(strings, keys, st.sampled_from([b'"a.pdf"', b'"=_x-1"', b'" 12 "', b'"%b 1234567 b"' % (b"a" * 60)]))
parameters = st.lists(st.tuples(keys, values).map(b" ".join), min_size=1, max_size=3).map(
    lambda pairs: b"(%b)" % b" ".join(pairs)
)
leaves = st.builds(
    lambda kind, pairs, cid, title, size, how, disposed: (
        b'(%b %b %b %b "base64" %d %b NIL (%b %b) NIL NIL)'
        % (kind, pairs, cid, title, size, b"1" if b"text" in kind else b"NIL", how, disposed)
    ),
    st.sampled_from(
        [b'"text" "plain"', b'"text" "html"', b'"image" "png"', b'"application" "pkcs7-signature"', b'"" ""']
    ),
    parameters,
    strings,
    values,
    st.sampled_from([0, 1, 10, 4711]),
    st.sampled_from([b'"attachment"', b'"inline"', b"NIL"]),
    parameters,
)
structures = st.recursive(
    leaves,
    lambda inner: st.builds(
        lambda parts, kind, pairs: b"(%b %b %b NIL NIL NIL)" % (b"".join(parts), kind, pairs),
        st.lists(inner, min_size=1, max_size=3),
        st.sampled_from([b'"mixed"', b'"alternative"', b'"related"']),
        parameters,
    ),
    max_leaves=6,
)
headers = st.one_of(
    st.none(), st.lists(words, max_size=4).map(lambda lines: b"From: " + b"\r\nTo: ".join(lines) + b"\r\n\r\n")
)


@settings(max_examples=400, deadline=None)
@given(octets=st.builds(response, strings, people, structures, fields=headers))
def test_any_row_is_the_same_either_way(octets: bytes) -> None:
    """R-IMAP-16, R-MIME-33."""
    assert_same(octets)


@settings(max_examples=300, deadline=None)
@given(
    octets=st.builds(response, strings, people, structures, fields=headers),
    cut=st.floats(0, 1),
    octet=st.binary(max_size=2),
)
def test_any_broken_row_is_the_same_either_way(octets: bytes, cut: float, octet: bytes) -> None:
    """R-IMAP-16: octets put in or left out anywhere."""
    at = int(len(octets) * cut)
    assert_same(octets[:at] + octet + octets[at + 1 :])


PUMPS = [b"(", b'("', b'(("a" NIL "b" "c")', b"FLAGS (a) ", b"X 1 ", b'"\\', b"{1}\r\n", b'"a" ', b"(a"]


@pytest.mark.parametrize("start", [b"1 FETCH (", b"1 FETCH (ENVELOPE (NIL NIL ", response()[:300]])
def test_reading_is_linear(start: bytes) -> None:
    """R-IMAP-16: whatever is repeated, up to the longest response that is tried."""
    grown = growth(
        lambda pumped: [usual_row((start + pumped)[:size]) for size in (16 << 10,)],
        PUMPS,
        (2 << 10, 4 << 10, 15 << 10),
        1.0,
    )
    assert not [each for each in grown if each.seconds[-1] > 0.05]

"""Filters evaluated here: by rule, by law of logic, and against what a real Dovecot answers."""

import imaplib
import time
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta, timezone
from itertools import pairwise
from typing import NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.mail.mime.message import read_summary
from service.mail.model import Address, Header, MessageSummary
from service.mail.search.filter import Condition, Criterion, Filter, HeaderText, Logic, Operand, Operator, SortKey
from service.mail.search.matching import (
    KnownMessage,
    Need,
    address_text,
    base_subject,
    casemap,
    holds,
    needs,
    sort_value,
)
from tests.mail.search.mailbox import known_of, mailbox
from tests.servers.dovecot import Dovecot

C = Criterion
EAST = timezone(timedelta(hours=13))
KNOWN = KnownMessage(
    flags=("$seen", "work"),
    size=1000,
    received_at=datetime(2026, 1, 2, 1, 0, tzinfo=EAST),  # the day before in UTC
    sent_at=datetime(2026, 1, 2, 1, 0, tzinfo=EAST),
    has_attachment=True,
    subject="Été: due  date",
    from_="Anna Grün <anna@example.org>",
    to="bob@example.org",
    cc="Carol <carol@example.org>",
    headers=(
        Header(name="Subject", value="Été: due  date", raw=""),
        Header(name="Received", value="by one", raw=""),
        Header(name="Received", value="by two", raw=""),
        Header(name="X-Empty", value="", raw=""),
    ),
    text="What a person\nreads. Straße, Ｆｕｌｌ.",
    folder=("f1", "inbox"),
)


def is_(criterion: Criterion, value: Operand) -> Condition:
    return Condition(criterion, value)


def header(name: str, text: str = "") -> Condition:
    return Condition(C.HEADER, HeaderText(name, text))


@pytest.mark.parametrize(
    ("condition", "expected"),
    [
        (is_(C.TEXT, "ÉTÉ: DUE DATE"), True),
        (is_(C.TEXT, "person reads"), True),
        (is_(C.TEXT, "received: by two"), True),
        (is_(C.TEXT, "two x-empty"), False),
        (is_(C.FROM, "GRÜN <anna"), True),
        (is_(C.FROM, "gru\u0308n"), True),
        (is_(C.FROM, "grun"), False),
        (is_(C.FROM, "gru"), True),
        (is_(C.TO, "bob@"), True),
        (is_(C.TO, "carol"), False),
        (is_(C.CC, "carol"), True),
        (is_(C.BCC, "bob"), False),
        (is_(C.BCC, ""), False),
        (is_(C.SUBJECT, "e\u0301t\u00e9"), True),
        (is_(C.SUBJECT, "due \t\r\n date"), True),
        (is_(C.SUBJECT, ""), True),
        (is_(C.BODY, "a person reads"), True),
        (is_(C.BODY, "straße"), True),
        (is_(C.BODY, "STRASSE"), False),
        (is_(C.BODY, "full"), True),
        (is_(C.BODY, "ｆＵｌl"), True),
        (is_(C.BODY, "due"), False),
        (header("received", "two"), True),
        (header("RECEIVED", "by  one"), True),
        (header("Received", "one by"), False),
        (header("Received"), True),
        (header("X-Empty"), True),
        (header("X-Empty", "a"), False),
        (header("X-None"), False),
        (header("Receive"), False),
        (is_(C.HAS_KEYWORD, "$Seen"), True),
        (is_(C.HAS_KEYWORD, "see"), False),
        (is_(C.NOT_KEYWORD, "WORK"), False),
        (is_(C.NOT_KEYWORD, "$flagged"), True),
        (is_(C.MIN_SIZE, 1000), True),
        (is_(C.MIN_SIZE, 1001), False),
        (is_(C.MAX_SIZE, 1000), False),
        (is_(C.MAX_SIZE, 1001), True),
        (is_(C.HAS_ATTACHMENT, True), True),
        (is_(C.HAS_ATTACHMENT, False), False),
        (is_(C.SINCE, date(2026, 1, 1)), True),
        (is_(C.SINCE, date(2026, 1, 2)), False),
        (is_(C.BEFORE, date(2026, 1, 2)), True),
        (is_(C.BEFORE, date(2026, 1, 1)), False),
        (is_(C.SENT_SINCE, date(2026, 1, 2)), True),
        (is_(C.SENT_SINCE, date(2026, 1, 3)), False),
        (is_(C.SENT_BEFORE, date(2026, 1, 2)), False),
        (is_(C.SENT_BEFORE, date(2026, 1, 3)), True),
        (is_(C.SINCE, datetime(2026, 1, 1, 12, tzinfo=UTC)), True),
        (is_(C.SINCE, datetime(2026, 1, 1, 12, 0, 1, tzinfo=UTC)), False),
        (is_(C.BEFORE, datetime(2026, 1, 1, 12, 0, 1, tzinfo=UTC)), True),
        (is_(C.BEFORE, datetime(2026, 1, 1, 12, tzinfo=UTC)), False),
        (is_(C.SENT_SINCE, datetime(2026, 1, 1, 12, tzinfo=UTC)), True),
        (is_(C.IN_FOLDER, "f1"), True),
        (is_(C.IN_FOLDER, "inbox"), True),
        (is_(C.IN_FOLDER, "f2"), False),
        (is_(C.IN_FOLDER_OTHER_THAN, ("f2", "trash")), True),
        (is_(C.IN_FOLDER_OTHER_THAN, ("f2", "inbox")), False),
        (is_(C.IN_FOLDER_OTHER_THAN, ()), True),
    ],
)
def test_conditions(condition: Condition, expected: bool) -> None:
    assert holds(condition, KNOWN) is expected


@pytest.mark.parametrize(
    "condition",
    [
        *(is_(criterion, "") for criterion in (C.FROM, C.TO, C.CC, C.BCC, C.SUBJECT, C.BODY)),
        *(is_(criterion, date(2026, 1, 1)) for criterion in (C.SINCE, C.BEFORE, C.SENT_SINCE, C.SENT_BEFORE)),
        is_(C.TEXT, "a"),
        header("Subject"),
        is_(C.MIN_SIZE, 0),
        is_(C.MAX_SIZE, 1),
        is_(C.HAS_ATTACHMENT, True),
        is_(C.HAS_ATTACHMENT, False),
    ],
)
def test_what_is_not_known_does_not_hold(condition: Condition) -> None:
    assert not holds(condition, KnownMessage())


def test_text_without_headers_is_looked_for_in_the_row() -> None:
    known = KnownMessage(from_="Anna", cc="Bob", subject="Due", text="Body")
    assert all(holds(is_(C.TEXT, word), known) for word in ("anna", "bob", "due", "body"))
    assert not holds(is_(C.TEXT, "annabob"), known)


@pytest.mark.parametrize("criterion", [C.ALL_IN_THREAD, C.SOME_IN_THREAD, C.NONE_IN_THREAD])
def test_threads_are_decided_elsewhere(criterion: Criterion) -> None:
    with pytest.raises(ValueError, match="InThread"):
        holds(is_(criterion, "$seen"), KNOWN)


TRUE, FALSE = is_(C.MIN_SIZE, 1), is_(C.MAX_SIZE, 1)


@pytest.mark.parametrize(
    ("logic", "nodes", "expected"),
    [
        (Logic.AND, (), True),
        (Logic.AND, (TRUE, TRUE), True),
        (Logic.AND, (TRUE, FALSE), False),
        (Logic.OR, (), False),
        (Logic.OR, (FALSE, TRUE), True),
        (Logic.OR, (FALSE, FALSE), False),
        (Logic.NOT, (), True),
        (Logic.NOT, (FALSE, FALSE), True),
        (Logic.NOT, (FALSE, TRUE), False),
    ],
)
def test_operators(logic: Logic, nodes: tuple[Filter, ...], expected: bool) -> None:
    assert holds(Operator(logic, nodes), KNOWN) is expected


@pytest.mark.parametrize(
    ("condition", "expected"),
    [
        (is_(C.TEXT, "a"), {Need.HEADERS, Need.BODY}),
        (is_(C.BODY, "a"), {Need.BODY}),
        (header("A"), {Need.HEADERS}),
        *((is_(each, "a"), {Need.ROW}) for each in (C.FROM, C.TO, C.CC, C.BCC, C.SUBJECT)),
        *((is_(each, 1), {Need.ROW}) for each in (C.MIN_SIZE, C.MAX_SIZE)),
        *((is_(each, date.min), {Need.ROW}) for each in (C.SINCE, C.BEFORE, C.SENT_SINCE, C.SENT_BEFORE)),
        *((is_(each, "a"), {Need.FLAGS}) for each in (C.HAS_KEYWORD, C.NOT_KEYWORD, C.SOME_IN_THREAD)),
        (is_(C.HAS_ATTACHMENT, True), {Need.STRUCTURE}),
        (is_(C.IN_FOLDER, "a"), set()),
        (is_(C.IN_FOLDER_OTHER_THAN, ("a",)), set()),
    ],
)
def test_needs(condition: Condition, expected: set[Need]) -> None:
    assert needs(condition) == expected
    assert needs(Operator(Logic.NOT, (condition, is_(C.BODY, "a")))) == expected | {Need.BODY}


@pytest.mark.parametrize(
    ("one", "other", "is_alike"),
    [
        ("abc", "ABC", True),
        ("été", "E\u0301TE\u0301", True),
        ("Ａｂｃ", "aBC", True),
        ("ß", "ss", False),
        ("ß", "ẞ", False),
        ("ﬁ", "FI", False),
        ("ς", "Σ", True),
        ("σ", "ς", True),
        ("ǆ", "Ǆ", True),
        ("ı", "I", True),
        ("İ", "i\u0307", True),
        ("½", "1\u20442", True),
        ("가", "\u1100\u1161", True),
        ("ა", "Ა", False),
        ("привет", "ПРИВЕТ", True),
        ("𐐨", "𐐀", True),
    ],
)
def test_casemap(one: str, other: str, is_alike: bool) -> None:
    assert (casemap(one) == casemap(other)) is is_alike


_CONDITIONS = st.sampled_from([
    is_(C.TEXT, "date"), is_(C.FROM, "anna"), is_(C.SUBJECT, "x"), is_(C.BODY, "person"), header("X-Empty"),
    is_(C.HAS_KEYWORD, "$seen"), is_(C.NOT_KEYWORD, "$seen"), is_(C.MIN_SIZE, 5), is_(C.HAS_ATTACHMENT, False),
    is_(C.SINCE, date(2026, 1, 1)), is_(C.SENT_BEFORE, date(2025, 1, 1)), is_(C.IN_FOLDER, "f1"),
])  # fmt: skip
_TREES: st.SearchStrategy[Filter] = st.recursive(
    _CONDITIONS,
    lambda inner: st.builds(Operator, st.sampled_from(Logic), st.lists(inner, max_size=4).map(tuple)),
    max_leaves=20,
)
_KNOWN = st.builds(
    KnownMessage,
    flags=st.sampled_from([(), ("$seen",)]),
    size=st.none() | st.integers(0, 10),
    received_at=st.none() | st.datetimes(timezones=st.just(UTC)),
    sent_at=st.none() | st.datetimes(timezones=st.timezones()),
    has_attachment=st.none() | st.booleans(),
    subject=st.none() | st.text(),
    text=st.none() | st.sampled_from(["", "a PERSON", "date"]),
    folder=st.sampled_from([("f1",), ("f2",)]),
)


@given(_TREES, _KNOWN)
def test_not_not(tree: Filter, known: KnownMessage) -> None:
    denied = Operator(Logic.NOT, (tree,))
    assert holds(denied, known) is not holds(tree, known)
    assert holds(Operator(Logic.NOT, (denied,)), known) is holds(tree, known)


@given(st.lists(_TREES, max_size=4).map(tuple), _KNOWN)
def test_de_morgan(trees: tuple[Filter, ...], known: KnownMessage) -> None:
    denied = tuple(Operator(Logic.NOT, (tree,)) for tree in trees)
    every, any_ = Operator(Logic.AND, trees), Operator(Logic.OR, trees)
    assert holds(Operator(Logic.NOT, (every,)), known) is holds(Operator(Logic.OR, denied), known)
    assert holds(Operator(Logic.NOT, (any_,)), known) is holds(Operator(Logic.AND, denied), known)
    assert holds(Operator(Logic.NOT, trees), known) is holds(Operator(Logic.NOT, (any_,)), known)


@given(_CONDITIONS, _KNOWN)
def test_needs_are_enough(condition: Condition, known: KnownMessage) -> None:
    """Nothing is looked at that was not asked for."""
    there = needs(condition)
    kept = KnownMessage(
        flags=known.flags if Need.FLAGS in there else (),
        has_attachment=known.has_attachment if Need.STRUCTURE in there else None,
        text=known.text if Need.BODY in there else None,
        folder=known.folder,
    )
    if Need.ROW not in there and Need.HEADERS not in there:
        assert holds(condition, kept) is holds(condition, known)


@pytest.mark.parametrize(
    ("subject", "expected"),
    [
        ("", ""),
        ("hello", "hello"),
        ("  hello \t\n world ", "hello world"),
        ("Re: hello", "hello"),
        ("RE : hello", "hello"),
        ("Fw: FWD: re: hello", "hello"),
        ("Re[2]: hello", "hello"),
        ("Re [2] : hello", "hello"),
        ("Re: [list] hello", "hello"),
        ("[list] Re: hello", "hello"),
        ("[a][b] [c] re: [d] fwd: hello", "hello"),
        ("[list] hello", "hello"),
        ("[list]", "[list]"),
        ("[a] [b]", "[b]"),
        ("Re: [list]", "[list]"),
        ("Re:", ""),
        ("hello (fwd)", "hello"),
        ("hello (FWD) (fwd) ", "hello"),
        ("(fwd)", ""),
        ("Re: (fwd) hello", "(fwd) hello"),
        ("[Fwd: hello]", "hello"),
        ("[fwd:hello (fwd)]", "hello"),
        ("[Fwd: [Fwd: Re: [x] hello]]", "hello"),
        ("[Fwd: hello] there", "there"),
        ("[Fwd: ]", ""),
        ("[Fwd: hello", "[Fwd: hello"),
        ("Reply: hello", "Reply: hello"),
        ("Re hello", "Re hello"),
        ("AW: hello", "AW: hello"),
        ("[[nested]] hello", "[[nested]] hello"),
    ],
)
def test_base_subject(subject: str, expected: str) -> None:
    assert base_subject(subject) == expected


@given(
    st.lists(st.sampled_from(["re", "fwd", ":", "[", "]", "(fwd)", "[fwd:", " ", "x", "[a]"]), max_size=30).map("".join)
)
def test_base_subject_is_its_own(subject: str) -> None:
    base = base_subject(subject)
    assert base_subject(base) == base
    assert base_subject(f"Re: {subject} (fwd)") == base


@pytest.mark.parametrize(
    "unit", ["[a]", "re:", "(fwd)", "[fwd:", "re[", "re[a]", "[a]re:", "[", "]", " ", "[a] re [b]"]
)
def test_base_subject_takes_linear_time(unit: str) -> None:
    started = time.perf_counter()
    base_subject(unit * (100_000 // len(unit)))
    base_subject("[fwd:" * 20_000 + "]" * 20_000)
    assert time.perf_counter() - started < 20


def row(**fields: object) -> MessageSummary:
    return MessageSummary.model_validate({"id": "m", "folderId": "f", **fields})


def from_(*emails: str) -> MessageSummary:
    return row(from_=tuple(Address(email=email) for email in emails))


@pytest.mark.parametrize(
    ("key", "ascending"),
    [
        (SortKey.SIZE, [row(), row(size=1), row(size=10)]),
        (
            SortKey.RECEIVED_AT,
            [
                row(),
                row(received_at=datetime(1969, 1, 1, tzinfo=UTC)),
                row(received_at=datetime(2026, 1, 1, tzinfo=UTC)),
            ],
        ),
        (
            SortKey.SENT_AT,
            [
                row(sent_at=datetime(2026, 1, 2, 1, tzinfo=EAST)),
                row(received_at=datetime(2026, 1, 1, 13, tzinfo=UTC)),
                row(sent_at=datetime(2026, 1, 1, 14, tzinfo=UTC), received_at=datetime(2026, 1, 1, tzinfo=UTC)),
            ],
        ),
        (SortKey.SUBJECT, [row(), row(subject="Re: a"), row(subject="B"), row(subject="[z] c"), row(subject="é")]),
        (SortKey.FROM, [row(), from_("a@z.example.org"), from_("B@example.org", "a@example.org"), from_("c")]),
        (SortKey.TO, [from_("z@example.org"), row(to=(Address(email="a@example.org"),))]),
    ],
)
def test_sort_values_ascend(key: SortKey, ascending: list[MessageSummary]) -> None:
    for one, other in pairwise(ascending):
        assert sort_value(key, one) < sort_value(key, other)


def test_sort_values_that_tie() -> None:
    assert sort_value(SortKey.SUBJECT, row(subject="Re: ÉTÉ (fwd)")) == sort_value(SortKey.SUBJECT, row(subject="été"))
    assert sort_value(SortKey.FROM, from_("ANNA@a.example.org")) == sort_value(SortKey.FROM, from_("anna@example.org"))


def test_address_text() -> None:
    assert address_text(()) is None
    assert address_text((Address(name="Doe, Jane", email="j@example.org"), Address(email="b@example.org"))) == (
        "Doe, Jane <j@example.org>, b@example.org"
    )


class Box(NamedTuple):
    """The messages in a Dovecot: a client that selected them, and what is known of them."""

    client: imaplib.IMAP4
    known: tuple[KnownMessage, ...]


@pytest.fixture(scope="module")
def box(dovecot: Dovecot) -> Iterator[Box]:
    user = dovecot.user()
    dovecot.seed(user, mailbox())
    with dovecot.connect(user) as client:
        client.select("INBOX", readonly=True)
        yield Box(client, tuple(map(known_of, mailbox())))


def ask(client: imaplib.IMAP4, keys: str, text: str | None) -> list[int]:
    if text is not None:
        vars(client)["literal"] = text.encode()
        keys = f"CHARSET UTF-8 {keys}"
    status, data = client.uid("SEARCH", keys)
    assert status == "OK", data
    return [int(uid) for uid in (data[0] or b"").split()]


_WORDS = (
    "été", "ÉTÉ", "e\u0301te\u0301", "ete", "strasse", "straße", "STRASSE", "STRAßE", "größe", "привет", "ПРИВЕТ", "会議",
    "会议", "회의", "οδυσσεύς", "ΟΔΥΣΣΕΎΣ", "οδυσσευσ", "istanbul", "İstanbul", "ışık", "isik", "Ｆｕｌｌ", "fullwidth",
    "123", "final", "ﬁnal", "1\u20442", "½", "🎉", "שלום", "łódź", "lodz", "invoice", "100%", '"quotes"', "back\\slash",
    "ünïcode", "words that", "SÜSS", "café", "cafe", "ananas", "broken by the encoding", "текст", "晴天", "padding",
    "sixteen bits", "anna", "grün <anna", "doe, jane", "jane <", "carol@example", "петров", "bob@example.org", "nowhere",
)  # fmt: skip
_TEXT_KEYS = (C.FROM, C.TO, C.CC, C.BCC, C.SUBJECT, C.BODY, C.TEXT)
_DATE_KEYS = (C.SINCE, "SINCE"), (C.BEFORE, "BEFORE"), (C.SENT_SINCE, "SENTSINCE")
_KEYWORDS = ("$seen", "SEEN"), ("$flagged", "FLAGGED"), ("$answered", "ANSWERED"), ("$draft", "DRAFT")
_HEADERS = (
    ("X-Odd", ""), ("x-odd", "GRÖSSE"), ("x-odd", "größe"), ("List-Id", "<announce"), ("List-Id", ""), ("X-Empty", ""),
    ("X-Empty", "a"), ("Subject", "5 €"), ("From", "jane"), ("Date", "jan 2026"), ("Message-Id", "7.search@"), ("Nope", ""),
)  # fmt: skip


@pytest.mark.dovecot
@pytest.mark.parametrize("criterion", _TEXT_KEYS)
def test_texts_as_dovecot(box: Box, criterion: Criterion) -> None:
    for word in _WORDS:
        assert found(box, is_(criterion, word)) == ask(box.client, criterion.upper(), word), word


@pytest.mark.dovecot
@pytest.mark.parametrize(("name", "text"), _HEADERS)
def test_headers_as_dovecot(box: Box, name: str, text: str) -> None:
    assert found(box, header(name, text)) == ask(box.client, f"HEADER {name}", text)


@pytest.mark.dovecot
@pytest.mark.parametrize(("criterion", "key"), _DATE_KEYS)
def test_dates_as_dovecot(box: Box, criterion: Criterion, key: str) -> None:
    for day in range(1, 21):
        assert found(box, is_(criterion, date(2026, 1, day))) == ask(box.client, f"{key} {day}-Jan-2026", None)


@pytest.mark.dovecot
def test_sent_before_as_dovecot(box: Box) -> None:
    for day in range(1, 8):
        key = f"SENTBEFORE {day}-Jan-2026 SENTSINCE 1-Jan-1980"
        assert found(box, is_(C.SENT_BEFORE, date(2026, 1, day))) == ask(box.client, key, None)


@pytest.mark.dovecot
def test_flags_and_sizes_as_dovecot(box: Box) -> None:
    for keyword, key in (*_KEYWORDS, ("$deleted", "DELETED"), ("$forwarded", "KEYWORD $Forwarded")):
        assert found(box, is_(C.HAS_KEYWORD, keyword)) == ask(box.client, key, None)
        assert found(box, is_(C.NOT_KEYWORD, keyword)) == ask(box.client, f"UN{key}", None)
    for size in sorted({known.size or 0 for known in box.known})[::7]:
        assert found(box, is_(C.MIN_SIZE, size)) == ask(box.client, f"LARGER {size - 1}", None)
        assert found(box, is_(C.MAX_SIZE, size)) == ask(box.client, f"SMALLER {size}", None)


def found(box: Box, condition: Condition) -> list[int]:
    return [uid for uid, known in enumerate(box.known, 1) if holds(condition, known)]


OURS, DOVECOT = "ours", "Dovecot's"
KNOWN_DIFFERENCES = (
    (is_(C.BODY, "some bold"), "BODY", OURS, "of HTML, Dovecot searches the source and Casella what is read"),
    (is_(C.BODY, "fuchsia"), "BODY", DOVECOT, "of HTML, Dovecot searches the source and Casella what is read"),
    (is_(C.BODY, "alternative"), "BODY", DOVECOT, "of alternatives, Dovecot searches all and Casella the one it shows"),
    (is_(C.BODY, "pomegranate"), "BODY", DOVECOT, "Dovecot searches attachments that are text"),
    (is_(C.TEXT, "content-disposition"), "TEXT", DOVECOT, "Dovecot searches the headers of parts"),
    (is_(C.BODY, "date. another"), "BODY", OURS, "Dovecot does not fold white space of bodies"),
    (is_(C.SUBJECT, "due  date"), "SUBJECT", OURS, "Dovecot does not fold white space in what is looked for"),
    (header("X-Odd", "folded value"), "HEADER X-Odd", OURS, "Dovecot keeps white space within a line of a header"),
    (is_(C.FROM, "example.org>"), "FROM", DOVECOT, "Dovecot puts bare addresses in angle brackets"),
    (is_(C.TO, "bob@example.org,"), "TO", OURS, "Dovecot puts bare addresses in angle brackets"),
    (is_(C.SENT_BEFORE, date(2026, 1, 1)), "SENTBEFORE 1-Jan-2026", DOVECOT, "to Dovecot, no date is one of 1970"),
)


@pytest.mark.dovecot
@pytest.mark.parametrize(("condition", "keys", "more", "reason"), KNOWN_DIFFERENCES)
def test_known_differences(box: Box, condition: Condition, keys: str, more: str, reason: str) -> None:
    """Where Casella reads mail as a person does and Dovecot does not, or the RFC leaves it open."""
    value = condition.value
    text = value.text if isinstance(value, HeaderText) else value if isinstance(value, str) else None
    ours, theirs = set(found(box, condition)), set(ask(box.client, keys, text))
    assert (ours > theirs) if more == OURS else (ours < theirs), reason


@pytest.mark.dovecot
@pytest.mark.parametrize(
    ("key", "name"),
    [
        (SortKey.SUBJECT, "SUBJECT"),
        (SortKey.FROM, "FROM"),
        (SortKey.TO, "TO"),
        (SortKey.SENT_AT, "DATE"),
        (SortKey.RECEIVED_AT, "ARRIVAL"),
        (SortKey.SIZE, "SIZE"),
    ],
)
def test_order_as_dovecot(box: Box, key: SortKey, name: str) -> None:
    _, data = box.client.uid("SORT", f"({name})", "UTF-8", "ALL")
    rows = [
        read_summary(source, id="m", folder_id="f", size=len(source), received_at=received_at)
        for source, _, received_at in mailbox()
    ]
    ours = sorted(range(1, len(rows) + 1), key=lambda uid: sort_value(key, rows[uid - 1]))
    assert ours == [int(uid) for uid in data[0].split()]

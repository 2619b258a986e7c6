"""The search box: what each text means, and which errors it has."""

import time
from collections.abc import Sequence
from datetime import UTC, date, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.mail.errors import InvalidQuery
from service.mail.search.filter import (
    MAX_CONDITIONS,
    MAX_DEPTH,
    Condition,
    Criterion,
    Filter,
    HeaderText,
    Logic,
    Operand,
    Operator,
    conditions,
)
from service.mail.search.grammar.fields import FIELDS
from service.mail.search.grammar.help import HELP
from service.mail.search.grammar.parser import parse_query

TODAY = date(2026, 3, 31)


def is_(criterion: Criterion, value: Operand) -> Condition:
    return Condition(criterion, value)


def text(value: str) -> Condition:
    return Condition(Criterion.TEXT, value)


def header(name: str, value: str = "") -> Condition:
    return Condition(Criterion.HEADER, HeaderText(name, value))


def every(*nodes: Filter) -> Operator:
    return Operator(Logic.AND, nodes)


def either(*nodes: Filter) -> Operator:
    return Operator(Logic.OR, nodes)


def no(node: Filter) -> Operator:
    return Operator(Logic.NOT, (node,))


A, B, C, D = map(text, "abcd")
FROM_A, FROM_B = is_(Criterion.FROM, "a"), is_(Criterion.FROM, "b")
ATTACHMENT = is_(Criterion.HAS_ATTACHMENT, True)
SEEN, UNSEEN = is_(Criterion.HAS_KEYWORD, "$seen"), is_(Criterion.NOT_KEYWORD, "$seen")


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("a", A),
        ("  a\t b\n", every(A, B)),
        ("a\u3000b", every(A, B)),
        ("a and b AND c", every(A, B, C)),
        ("a or b", either(A, B)),
        ("a OR b Or c", either(A, B, C)),
        ("a or b c", every(either(A, B), C)),
        ("a b or c", every(A, either(B, C))),
        ("a and b or c", every(A, either(B, C))),
        ("a or b c or d", every(either(A, B), either(C, D))),
        ("from:a or from:b has:attachment", every(either(FROM_A, FROM_B), ATTACHMENT)),
        ("(a b) or (c d)", either(every(A, B), every(C, D))),
        ("(a or b) or c", either(A, B, C)),
        ("(a b) (c (d))", every(A, B, C, D)),
        ("((((a))))", A),
        ("a(b)c", every(A, B, C)),
        ("-a", no(A)),
        ("not a", no(A)),
        ("NOT a b", every(no(A), B)),
        ("-a or b", either(no(A), B)),
        ("a or -b", either(A, no(B))),
        ("a and not b", every(A, no(B))),
        ("-(a or b)", no(either(A, B))),
        ("not (a b)", no(every(A, B))),
        ("not not a", A),
        ("not -a", A),
        ("-(-a)", A),
        ("not not not a", no(A)),
        ('-"a b"', no(text("a b"))),
        ("-from:a", no(FROM_A)),
        ("a-b", text("a-b")),
        ("a - b", every(A, text("-"), B)),
        ("--a", text("--a")),
        ("(a -)", every(A, text("-"))),
        ("-", text("-")),
    ],
)
def test_joining(query: str, expected: Filter) -> None:
    assert parse_query(query) == expected


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ('"due date"', text("due date")),
        ('"or"', text("or")),
        ('"from:a"', text("from:a")),
        ('"(a"', text("(a")),
        (r'"say \"hi\" \\ there"', text(r"say " r'"hi" \ there')),
        (r'"C:\temp"', text(r"C:\temp")),
        ('"a""b"', every(A, B)),
        ('"a"b', every(A, B)),
        ('5" disk', every(text('5"'), text("disk"))),
        ("“due date”", text("due date")),
        ("„due date“", text("due date")),
        ('subject:“due "x" date”', is_(Criterion.SUBJECT, 'due "x" date')),
        ('"a “b” c"', text("a “b” c")),
        ('"two\nlines"', text("two\nlines")),
        ("été", text("été")),
        ("会議 🎉", every(text("会議"), text("🎉"))),
        ("12:30", text("12:30")),
        ("c:x", text("c:x")),
        ("Re: a", every(text("Re:"), A)),
        ("Note: a", every(text("Note:"), A)),
        ("form: a", every(text("form:"), A)),
        ("http://example.org/?a:b", text("http://example.org/?a:b")),
        ("mailto:a@example.org", text("mailto:a@example.org")),
        ("urn:x:y", text("urn:x:y")),
        (":x", text(":x")),
        ("to://x", text("to://x")),
    ],
)
def test_words(query: str, expected: Filter) -> None:
    assert parse_query(query) == expected


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("text:a", A),
        ("from:a", FROM_A),
        ("FROM:a", FROM_A),
        ("to:a@example.org", is_(Criterion.TO, "a@example.org")),
        ("cc:a", is_(Criterion.CC, "a")),
        ("bcc:a", is_(Criterion.BCC, "a")),
        ('subject:"due date"', is_(Criterion.SUBJECT, "due date")),
        ("subject:12:30", is_(Criterion.SUBJECT, "12:30")),
        ("subject:-1", is_(Criterion.SUBJECT, "-1")),
        ("subject:or", is_(Criterion.SUBJECT, "or")),
        ("body:a", is_(Criterion.BODY, "a")),
        ("from:(a or b)", either(FROM_A, FROM_B)),
        ("from:(a -b)", every(FROM_A, no(FROM_B))),
        ("from:(a to:b)", every(FROM_A, is_(Criterion.TO, "b"))),
        ("from:((a) or (b)) c", every(either(FROM_A, FROM_B), C)),
        ("is:(read has:attachment)", every(SEEN, ATTACHMENT)),
        ("header:X-A", header("X-A")),
        ("header:X-A c", every(header("X-A"), C)),
        ("header:X-A:b", header("X-A", "b")),
        ("header:X-A:-b", header("X-A", "-b")),
        ("header:X-A:b:c", header("X-A", "b:c")),
        ('header:X-A:"b c"', header("X-A", "b c")),
        ('header:"X-A: b c"', header("X-A", "b c")),
        ('header:"X-A:"', header("X-A")),
        ('header:"X-A"', header("X-A")),
        ("header:X-A:(b or c)", either(header("X-A", "b"), header("X-A", "c"))),
        ("header:(X-A or X-B)", either(header("X-A"), header("X-B"))),
        ("list:announce", header("List-Id", "announce")),
        ("is:read", SEEN),
        ("is:SEEN", SEEN),
        ("is:unread", UNSEEN),
        ("is:unseen", UNSEEN),
        ("-is:read", no(SEEN)),
        ("is:flagged", is_(Criterion.HAS_KEYWORD, "$flagged")),
        ("is:starred", is_(Criterion.HAS_KEYWORD, "$flagged")),
        ("is:unstarred", is_(Criterion.NOT_KEYWORD, "$flagged")),
        ("is:answered", is_(Criterion.HAS_KEYWORD, "$answered")),
        ("is:draft", is_(Criterion.HAS_KEYWORD, "$draft")),
        ("is:deleted", is_(Criterion.HAS_KEYWORD, "$deleted")),
        ("has:attachment", ATTACHMENT),
        ("has:Attachments", ATTACHMENT),
        ("keyword:$Forwarded", is_(Criterion.HAS_KEYWORD, "$forwarded")),
        ("tag:work", is_(Criterion.HAS_KEYWORD, "work")),
        ("label:work", is_(Criterion.HAS_KEYWORD, "work")),
        ("hasKeyword:work", is_(Criterion.HAS_KEYWORD, "work")),
        ("in:archive", is_(Criterion.IN_FOLDER, "archive")),
        ("in:INBOX", is_(Criterion.IN_FOLDER, "inbox")),
        ("in:Spam", is_(Criterion.IN_FOLDER, "junk")),
        ("folder:bin", is_(Criterion.IN_FOLDER, "trash")),
        ("in:f1aBc", is_(Criterion.IN_FOLDER, "f1aBc")),
    ],
)
def test_fields(query: str, expected: Filter) -> None:
    assert parse_query(query) == expected


def received(first: date, last: date) -> Operator:
    return every(is_(Criterion.SINCE, first), is_(Criterion.BEFORE, last))


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("after:2026-01-31", is_(Criterion.SINCE, date(2026, 1, 31))),
        ("since:2026/1/5", is_(Criterion.SINCE, date(2026, 1, 5))),
        ("newer:2026.01.05", is_(Criterion.SINCE, date(2026, 1, 5))),
        ("newer_than:7d", is_(Criterion.SINCE, date(2026, 3, 24))),
        ("newer-than:0d", is_(Criterion.SINCE, TODAY)),
        ("newer:2W", is_(Criterion.SINCE, date(2026, 3, 17))),
        ("newer:1m", is_(Criterion.SINCE, date(2026, 2, 28))),
        ("newer:3m", is_(Criterion.SINCE, date(2025, 12, 31))),
        ("newer:25m", is_(Criterion.SINCE, date(2024, 2, 29))),
        ("before:1y", is_(Criterion.BEFORE, date(2025, 3, 31))),
        ("older:2026-01-31", is_(Criterion.BEFORE, date(2026, 1, 31))),
        ("older_than:2w", is_(Criterion.BEFORE, date(2026, 3, 17))),
        ("on:2026-01-31", received(date(2026, 1, 31), date(2026, 2, 1))),
        ("on:today a", every(*received(TODAY, date(2026, 4, 1)).conditions, A)),
        ("-on:Yesterday", no(received(date(2026, 3, 30), TODAY))),
        ("date:0001-01-01", received(date(1, 1, 1), date(1, 1, 2))),
        ("sentSince:2026-01-31", is_(Criterion.SENT_SINCE, date(2026, 1, 31))),
        ("sent-after:1d", is_(Criterion.SENT_SINCE, date(2026, 3, 30))),
        ("sentbefore:2026-01-31", is_(Criterion.SENT_BEFORE, date(2026, 1, 31))),
        ("sent-before:9999-12-31", is_(Criterion.SENT_BEFORE, date.max)),
        ("after:2026-01-31T08:00Z", is_(Criterion.SINCE, datetime(2026, 1, 31, 8, tzinfo=UTC))),
        ("before:2026-01-31t08:00:30.5+02:00", is_(Criterion.BEFORE, datetime(2026, 1, 31, 6, 0, 30, 500000, UTC))),
        ("larger:5M", is_(Criterion.MIN_SIZE, 5 << 20)),
        ("larger:10k", is_(Criterion.MIN_SIZE, 10 << 10)),
        ("larger:1GB", is_(Criterion.MIN_SIZE, 1 << 30)),
        ("minSize:1.5MiB", is_(Criterion.MIN_SIZE, 3 << 19)),
        ("smaller:100", is_(Criterion.MAX_SIZE, 100)),
        ("maxSize:100B", is_(Criterion.MAX_SIZE, 100)),
        ("size:5M", is_(Criterion.MIN_SIZE, 5 << 20)),
        ("size:>5M", is_(Criterion.MIN_SIZE, (5 << 20) + 1)),
        ("size:>=5M", is_(Criterion.MIN_SIZE, 5 << 20)),
        ("size:<5M", is_(Criterion.MAX_SIZE, 5 << 20)),
        ("size:<=5M", is_(Criterion.MAX_SIZE, (5 << 20) + 1)),
        ('size:"> 5M"', is_(Criterion.MIN_SIZE, (5 << 20) + 1)),
    ],
)
def test_dates_and_sizes(query: str, expected: Filter) -> None:
    assert parse_query(query, TODAY) == expected


DEEP = "-(a or " * (MAX_DEPTH // 2 + 1) + "b" + ")" * (MAX_DEPTH // 2 + 1)


@pytest.mark.parametrize(
    ("query", "column", "words"),
    [
        ("", 1, "nothing to search for"),
        ("  \n ", 1, "nothing to search for"),
        ("()", 1, "nothing to search for"),
        ("a from:( )", 8, "nothing to search for"),
        ('a "b', 3, "quote is not closed"),
        ('subject:"b', 9, "quote is not closed"),
        ('"a" 😀 "b', 7, "quote is not closed"),
        (r'a "b\"', 3, "quote is not closed"),
        ('subject:“b"', 9, "quote is not closed"),
        ('a ""', 3, "nothing between"),
        ('a subject:" "', 11, "nothing between"),
        ("a from:", 3, "Nothing follows"),
        ("from: a", 1, "Nothing follows"),
        ("(from:)", 2, "Nothing follows"),
        ("header:X-A:", 1, "Nothing follows"),
        ("header:X-A: b", 1, "Nothing follows"),
        ('header:":b"', 8, "Not the name of a header"),
        ("a header:É:b", 10, "Not the name of a header"),
        ('header:"X A: b"', 8, "Not the name of a header"),
        ("or a", 1, "nothing before this or"),
        ("a or", 3, "nothing after this or"),
        ("a or or b", 6, "nothing before this or"),
        ("a and or b", 7, "nothing before this or"),
        ("a not or b", 7, "nothing before this or"),
        ("(a or) b", 4, "nothing after this or"),
        ("a (and b)", 4, "nothing before this and"),
        ("a AND", 3, "nothing after this and"),
        ("a not", 3, "nothing after this not"),
        ("(a not) b", 4, "nothing after this not"),
        ("a (b", 3, "not closed"),
        ("a (b (c)", 3, "not closed"),
        ("a subject:(b", 11, "not closed"),
        ("a b)", 4, "closes nothing"),
        (")", 1, "closes nothing"),
        ("a :)", 4, "closes nothing"),
        ("form:anna", 1, "Did you mean from:?"),
        ("a -Subjekt:b", 4, "Did you mean subject:?"),
        ("froom:(a b)", 1, "Did you mean from:?"),
        ('bode:"a b"', 1, "Did you mean body:?"),
        ("befor:2026-01-01", 1, "Did you mean before:?"),
        ("atfer:2026-01-01", 1, "Did you mean after:?"),
        ("is:unred", 4, "Did you mean is:unread?"),
        ("is:zzz", 4, "It can be read"),
        ("has:star", 5, "Only has:attachment"),
        ("after:2026-13-01", 7, "no such day"),
        ("after:2026-02-30", 7, "no such day"),
        ("after:0000-01-01", 7, "no such day"),
        ("after:01-02-2026", 7, "Not a date"),
        ("after:2026-01/02", 7, "Not a date"),
        ("after:٢٠٢٦-01-01", 7, "Not a date"),
        ("a before:soon", 10, "Not a date"),
        ("newer:7", 7, "Not a date"),
        ("older:7h", 7, "Not a date"),
        ("older:9999y", 7, "no such day"),
        ("older:99999m", 7, "no such day"),
        ("on:9999-12-31", 4, "no day after"),
        ("after:2026-01-31T08:00", 7, "Not a date"),
        ("after:2026-01-31T25:00Z", 7, "no such moment"),
        ("after:0001-01-01T00:00+01:00", 7, "no such moment"),
        ("sent-after:2026-01-31T08:00Z", 12, "Not a date"),
        ("larger:big", 8, "Not a size"),
        ("larger:-1", 8, "Not a size"),
        ("larger:5T", 8, "Not a size"),
        ("larger:5,5M", 8, "Not a size"),
        ("larger:9999999999G", 8, "that large"),
        ("smaller:9223372036854775807", 9, "that large"),
        ("a size:>x", 8, "Not a size"),
        ("size:=5", 6, "Not a size"),
        ("a " * MAX_CONDITIONS + "b", 2 * MAX_CONDITIONS + 1, f"more than {MAX_CONDITIONS}"),
        ("a " * (MAX_CONDITIONS - 1) + "on:today", 2 * MAX_CONDITIONS + 2, f"more than {MAX_CONDITIONS}"),
        (DEEP, 3, f"more than {MAX_DEPTH}"),
        (f"a {DEEP}", 5, f"more than {MAX_DEPTH}"),
    ],
)
def test_errors(query: str, column: int, words: str) -> None:
    with pytest.raises(InvalidQuery) as caught:
        parse_query(query, TODAY)
    assert caught.value.column == column
    assert words in caught.value.detail
    assert caught.value.detail.startswith(f"Column {column}: ")


def test_limits_are_reached() -> None:
    assert len(list(conditions(parse_query("a " * MAX_CONDITIONS)))) == MAX_CONDITIONS
    tree = parse_query("-(a or " * (MAX_DEPTH // 2) + "b" + ")" * (MAX_DEPTH // 2))
    assert depth(tree) == MAX_DEPTH


def depth(tree: Filter) -> int:
    return 0 if isinstance(tree, Condition) else 1 + max(map(depth, tree.conditions))


def test_groups_that_say_nothing_have_no_depth() -> None:
    assert parse_query("(" * 500 + "a" + ")" * 500) == A
    assert parse_query("not " * 500 + "a") == A
    assert parse_query("(a or " * 200 + "b" + ")" * 200) == either(*[A] * 200, B)


def test_ages_count_from_today_in_utc() -> None:
    before, tree, after = datetime.now(UTC).date(), parse_query("after:today"), datetime.now(UTC).date()
    assert isinstance(tree, Condition)
    assert tree.value in {before, after}


def test_help_is_whole() -> None:
    assert [row.field for row in HELP] == list(FIELDS)
    for row in HELP:
        parse_query(row.example)
        assert row.meaning.endswith(".")
        assert any(f"{name}:" in row.example for name in (row.field, *row.names)) or row.field == "text"
    names = [name for row in HELP for name in (row.field, *row.names)]
    assert len(names) == len(set(names))
    for criterion in ("text", "from", "to", "cc", "bcc", "subject", "body", "header", "hasKeyword", "since", "before"):
        assert criterion in names
    for criterion in ("sentSince", "sentBefore", "minSize", "maxSize"):
        assert criterion in names


PIECES: Sequence[str] = (
    "a", "from:", "subject:", "header:", "X-A:", "form:", "is:", "read", "after:", "7d", "larger:", "5M", "size:>",
    "(", ")", '"', "“", "”", "\\", "-", " ", "  ", " or ", " and ", " not ", "OR", ":", "é", "会", "\n", "\0", "on:today ",
)  # fmt: skip


@given(st.text(max_size=1000) | st.lists(st.sampled_from(PIECES), max_size=300).map("".join))
def test_any_text_is_read_or_refused(query: str) -> None:
    tree = read(query)
    if isinstance(tree, InvalidQuery):
        assert 1 <= tree.column <= max(len(query), 1)
    else:
        assert 1 <= len(list(conditions(tree))) <= MAX_CONDITIONS
        assert depth(tree) <= MAX_DEPTH


def read(query: str) -> Filter | InvalidQuery:
    try:
        return parse_query(query, TODAY)
    except InvalidQuery as error:
        return error


@given(st.lists(st.sampled_from(PIECES), max_size=40).map("".join))
def test_parentheses_around_all_change_nothing(query: str) -> None:
    tree = read(query)
    if not isinstance(tree, InvalidQuery):  # else parentheses may mend it: of ``a)(a`` they make two groups
        assert read(f"({query})") == tree
        assert read(f"-({query})") in {no(tree), *(tree.conditions if isinstance(tree, Operator) else ())}


@pytest.mark.parametrize(
    "unit",
    ["(", "-", "not ", '"', '\\"', '"\\', "“", "a:", "header:", "(a or ", "a or (", "-(", "zqzq:x", "from:(", " "],
)
@pytest.mark.parametrize("end", ["", ")", "a", '"'])
def test_time_is_linear(unit: str, end: str) -> None:
    """A thousand characters take a millisecond; what is quadratic would take minutes for a hundred thousand."""
    started = time.process_time()
    query = unit * (100_000 // len(unit)) + end
    read(query)
    assert time.process_time() - started < 20

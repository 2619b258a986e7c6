"""What hostile or broken servers say of messages: BODYSTRUCTURE and ENVELOPE."""

import time

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from service.adapters.imap.messages.envelope import envelope_of, read_summary, structure_of
from service.adapters.imap.wire.responses import UNREADABLE, fetch_rows, found_uids, header_fields, octets
from service.adapters.imap.wire.tokens import Token
from service.adapters.imap.wire.values.dates import read_date_time

tokens = st.recursive(
    st.none()
    | st.binary(max_size=12)
    | st.sampled_from([b"text", b"message", b"rfc822", b"multipart", b"1", b"-1", b"9" * 30]),
    lambda inner: st.lists(inner, max_size=12),
    max_leaves=40,
)


@given(tokens, tokens, tokens, tokens)
@example([None, None, [b"\x80", b""]], None, None, None)
def test_a_row_of_garbage_is_a_summary(structure: Token, envelope: Token, size: Token, date: Token) -> None:
    """R-IMAP-29: fields that are garbage are absent, and the row can be written as JSON."""
    row = {
        b"BODYSTRUCTURE": structure,
        b"ENVELOPE": envelope,
        b"RFC822.SIZE": size,
        b"INTERNALDATE": date,
        b"FLAGS": size,
    }
    read_summary(row, "m", "f", structure_of(row)).model_dump_json()


@given(st.lists(tokens, min_size=10, max_size=10))
def test_an_envelope_of_garbage_is_read(fields: list[Token]) -> None:
    """R-IMAP-29: NIL everywhere, 8-bit, lists where strings belong."""
    read_summary({b"ENVELOPE": fields}, "m", "f", None).model_dump_json()


@pytest.mark.parametrize("size", [b"-1", b"9" * 30, b"x", b"", None, [b"1"]])
def test_invalid_sizes_are_absent(size: Token) -> None:
    """R-IMAP-29: negative, beyond 2^63, no number."""
    assert read_summary({b"RFC822.SIZE": size}, "m", "f", None).size is None


@pytest.mark.parametrize(
    "date",
    [
        b"",
        b"x",
        b"99-Abc-2026 00:00:00 +0000",
        b"01-Sep-2026 99:00:00 +0000",
        b"01-Sep-2026 08:00:00 +9999999",
        b"\xff" * 26,
    ],
)
def test_invalid_dates_are_absent(date: bytes) -> None:
    """R-IMAP-29, R-MIME-20."""
    assert read_date_time(date) is None


def test_missing_fields_of_an_envelope_are_none() -> None:
    assert envelope_of({}) == [None] * 10
    assert envelope_of({b"ENVELOPE": [b"date", b"subject"]}) == [b"date", b"subject", *[None] * 8]


async def test_nesting_to_the_cap_is_a_structure_and_beyond_it_none() -> None:
    """R-IMAP-16: 100 levels; no RecursionError. What else the row says is read, and the rows of other messages are."""
    leaf = b'("text" "plain" NIL NIL NIL "7bit" 1 1)'

    def nested(levels: int) -> bytes:
        return b"1 FETCH (UID 1 BODYSTRUCTURE " + b"(" * levels + leaf + b' "mixed")' * levels + b")"

    [row] = (await fetch_rows([nested(90)])).values()
    assert structure_of(row) is not None
    deep, other = (await fetch_rows([nested(10_000), b"2 FETCH (UID 2 FLAGS ())"])).values()
    assert structure_of(deep) is None
    assert (deep[b"UID"], other[b"UID"]) == (b"1", b"2")


async def test_a_hundred_thousand_siblings_cost_linear_time() -> None:
    """R-IMAP-16: more parts than are shown make the structure unreadable, not the service slow."""
    response = b"1 FETCH (UID 1 BODYSTRUCTURE (" + b'("text" "plain" NIL NIL NIL "7bit" 1 1)' * 100_000 + b' "mixed"))'
    began = time.process_time()
    rows = await fetch_rows([response])
    assert rows[1][UNREADABLE] is not None
    assert b"BODYSTRUCTURE" not in rows[1]
    assert time.process_time() - began < 10


def test_parameters_are_read_as_in_a_header() -> None:
    """RFC 2231 in pieces and with a charset, and quotes that were escaped."""
    structure: Token = [
        b"application", b"pdf", [b"NAME*0*", b"utf-8''%C3%9Cber", b"name*1", b" x.pdf"], b"<cid@example.org>", None, b"BASE64", b"9",
        None, [b"ATTACHMENT", [b"filename", b'a "b"']], [b"de", b"en"],
    ]  # fmt: skip
    part = structure_of({b"BODYSTRUCTURE": structure})
    assert part is not None
    assert (part.id, part.type, part.encoding, part.size, part.disposition) == (
        "1",
        "application/pdf",
        "base64",
        9,
        "attachment",
    )
    assert (part.cid, part.language) == ("cid@example.org", ("de", "en"))
    assert part.name is not None
    assert "b" in part.name


def test_an_attached_message_numbers_its_parts_below_its_own() -> None:
    """RFC 9051, 6.4.5: "2" is the message, "2.0" its multipart body, "2.1" a part of that; a plain body is "3.1"."""
    leaf: Token = [b"text", b"plain", None, None, None, b"7bit", b"1", b"1"]
    envelope: Token = [None] * 10
    inner: Token = [leaf, leaf, b"mixed"]
    structure: Token = [
        leaf, [b"message", b"rfc822", None, None, None, b"7bit", b"9", envelope, inner, b"9"],
        [b"message", b"rfc822", None, None, None, b"7bit", b"9", envelope, leaf, b"9"], b"mixed",
    ]  # fmt: skip
    part = structure_of({b"BODYSTRUCTURE": structure})
    found: list[str] = []
    pending = [part]
    while pending:
        one = pending.pop(0)
        assert one is not None
        found.append(one.id)
        pending = [*(one.parts or ()), *pending]
    assert found == ["0", "1", "2", "2.0", "2.1", "2.2", "3", "3.1"]


@pytest.mark.parametrize(
    "correlator",
    [b"", b' (TAG "A1")', b" (TAG A1)", b' (TAG "A1" MAILBOX "a) UID (b" UIDVALIDITY 7)', b' (MAILBOX INBOX TAG "A1")'],
)
@pytest.mark.parametrize("uid", [b" UID", b""])
async def test_a_result_is_found_behind_any_correlator(correlator: bytes, uid: bytes) -> None:
    """R-IMAP-17: a tag without quotes made an empty result of what was found."""
    assert await found_uids([b"ESEARCH%b%b ALL 1,3 COUNT 2" % (correlator, uid)]) == [1, 3]


@pytest.mark.parametrize("peek", [b"", b".PEEK", b".peek"])
@pytest.mark.parametrize("origin", [b"", b"<0>", b"<0.64>"])
async def test_servers_may_repeat_the_request(peek: bytes, origin: bytes) -> None:
    """R-IMAP-53: they name the items as they were asked for."""
    response = b'1 FETCH (UID 1 BODY%b[1]%b "one" body%b[header.fields (date)]%b {2}\r\n\r\n)' % (
        peek,
        origin,
        peek,
        origin,
    )
    [row] = (await fetch_rows([response])).values()
    assert octets(row, b"BODY[1]<0>") == b"one"
    assert header_fields(row) == b"\r\n"

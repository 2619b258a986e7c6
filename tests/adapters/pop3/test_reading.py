"""Messages, their parts and their source: exact octets, ranges, and which requests wait for others."""

import asyncio
from base64 import encodebytes
from dataclasses import replace

import pytest

from service.adapters.pop3 import backend as backends
from service.adapters.pop3 import source as sources
from service.adapters.pop3.backend import Pop3Backend
from service.adapters.shared import parsing as whole
from service.mail.errors import NotFound, RangeNotSatisfiable, TooLarge, UpstreamFailure, UpstreamTimeout
from service.mail.exchange import Download, Span
from service.mail.search.filter import ListQuery

from .conftest import FAST, Mailboxes
from .server import CAPABILITIES, Act, Pop3Server, Stored, letter, letters, until

BLOB = bytes(range(256)) * 2000
PARTS = (
    b'Subject: Parts\r\nContent-Type: multipart/mixed; boundary="b"\r\n\r\n'
    b"--b\r\nContent-Type: text/plain\r\n\r\n.dots\r\n..\r\n.\r\n"
    b'--b\r\nContent-Type: image/png; name="a.png"\r\nContent-Transfer-Encoding: base64\r\n\r\n'
    + encodebytes(BLOB).replace(b"\n", b"\r\n")
    + b"--b--\r\n"
)


async def the_id(backend: Pop3Backend, index: int = 0) -> str:
    return (await backend.list_messages("inbox", ListQuery())).items[index].id


async def octets(download: Download) -> bytes:
    return b"".join([chunk async for chunk in download.chunks])


@pytest.mark.parametrize(
    "message",
    [
        PARTS,
        b"Subject: x\r\n\r\n" + b"y" * 5_000_000 + b"\r\n",
        b"Subject: x\r\n\r\n" + b"\n.\n.\r.\r\n..\r\n" * 50_000,
        b"Subject: x\r\n\r\n.\r\n",
    ],
)
async def test_the_source_is_exact(mailboxes: Mailboxes, message: bytes) -> None:
    """R-POP-01, R-POP-02: dots, bare line ends, lines of megabytes: every octet as the server has it."""
    backend = await mailboxes.open(Pop3Server([Stored("x", message)]))
    download = await backend.open_source(await the_id(backend))
    assert await octets(download) == message
    assert (download.size, download.start, download.stop) == (len(message), 0, len(message))
    assert download.type == "message/rfc822"


async def test_a_last_line_without_its_end_is_given_one(mailboxes: Mailboxes) -> None:
    """R-POP-01: POP3 cannot carry a message without the CRLF at its end."""
    backend = await mailboxes.open(Pop3Server([Stored("x", b"A: b\r\n\r\nend")]))
    assert await octets(await backend.open_source(await the_id(backend))) == b"A: b\r\n\r\nend\r\n"


@pytest.mark.parametrize(
    ("span", "expected"),
    [
        (Span(0, 9), slice(0, 10)),
        (Span(100_000, 299_999), slice(100_000, 300_000)),
        (Span(500_000, None), slice(500_000, None)),
        (Span(None, 5), slice(-5, None)),
    ],
)
async def test_ranges_of_a_part_are_cut_from_one_fetch(mailboxes: Mailboxes, span: Span, expected: slice) -> None:
    server = Pop3Server([Stored("x", PARTS)])
    backend = await mailboxes.open(server)
    message = await the_id(backend)
    part = await backend.open_part(message, "2", span=span)
    assert await octets(part) == BLOB[expected]
    assert part.size == len(BLOB)
    assert (part.type, part.name) == ("image/png", "a.png")
    stored = await backend.open_part(message, "2", encoded=True)
    assert (await octets(stored)).replace(b"\r\n", b"\n").rstrip() == encodebytes(BLOB).rstrip()
    assert await octets(await backend.open_part(message, "1")) == b".dots\r\n..\r\n."
    assert len({part.etag, stored.etag, (await backend.open_source(message)).etag}) == 3
    assert server.verbs.count("RETR") == 1


async def test_what_there_is_not(mailboxes: Mailboxes) -> None:
    backend = await mailboxes.open(Pop3Server([Stored("x", PARTS)]))
    message = await the_id(backend)
    with pytest.raises(NotFound):
        await backend.open_part(message, "9")
    with pytest.raises(RangeNotSatisfiable):
        await backend.open_part(message, "1", span=Span(5000, None))
    for unknown in ("", "m_x", "inbox", message[:-2]):
        with pytest.raises(NotFound):
            await backend.get_message(unknown)


async def test_a_message_and_its_headers(mailboxes: Mailboxes) -> None:
    server = Pop3Server([Stored("x", PARTS)])
    backend = await mailboxes.open(server)
    message_id = await the_id(backend)
    headers = await backend.list_headers(message_id, ["subject"])
    assert [header.value for header in headers] == ["Parts"]
    assert "RETR" not in server.verbs
    message = await backend.get_message(message_id)
    assert message.subject == "Parts"
    assert message.body.text is not None
    assert message.body.text.startswith(".dots")
    assert [part.name for part in message.attachments] == ["a.png"]
    assert [header.name for header in await backend.list_headers(message_id)] == ["Subject", "Content-Type"]


async def test_headers_without_top(mailboxes: Mailboxes, monkeypatch: pytest.MonkeyPatch) -> None:
    """R-POP-08: of a small message by reading it, of a large one by cutting it."""
    capabilities = tuple(name for name in CAPABILITIES if name != "TOP")
    backend = await mailboxes.open(Pop3Server([letter("x", "y" * 1_000_000)], capabilities))
    message = await the_id(backend)
    assert (await backend.list_headers(message, ["Subject"]))[0].value == "Letter x"
    monkeypatch.setattr("service.adapters.pop3.session.session.WHOLE", 10)
    await backend.aclose()
    assert (await backend.list_headers(message, ["Subject"]))[0].value == "Letter x"


async def test_a_message_above_the_limit_is_refused_before_it_is_fetched(
    mailboxes: Mailboxes, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = Pop3Server(letters(1))
    backend = await mailboxes.open(server)
    message = await the_id(backend)
    for module in (backends, sources, whole):
        monkeypatch.setattr(module, "MAX_PARSED", 20)
    with pytest.raises(TooLarge):
        await backend.get_message(message)
    assert "RETR" not in server.verbs
    server.twists = {"LIST": b"+OK\r\n1 10\r\n.\r\n"}
    await backend.aclose()
    with pytest.raises(TooLarge):
        await backend.get_message(message)
    monkeypatch.undo()
    server.twists = {}
    assert (await backend.get_message(message)).subject == "Letter uid-1"


@pytest.mark.parametrize("after", [Act.CLOSE, Act.HANG])
async def test_a_message_cut_short_is_never_a_whole_one(mailboxes: Mailboxes, after: Act) -> None:
    server = Pop3Server(letters(1), twists={"RETR": b"+OK\r\nSubject: x\r\n\r\nhalf\r\n"})
    server.cut = after
    backend = await mailboxes.open(server)
    message = await the_id(backend)
    with pytest.raises(UpstreamFailure):
        await backend.open_source(message)
    server.twists = {}
    assert (await backend.get_message(message)).subject == "Letter uid-1"


async def test_a_message_that_drips_is_given_up(mailboxes: Mailboxes) -> None:
    """Octets that come now and then keep no session: it is the average that counts."""
    server = Pop3Server(letters(1), twists={"RETR": b"+OK\r\n"})
    server.drip = b"x"
    backend = await mailboxes.open(server)
    with pytest.raises(UpstreamTimeout, match="slowly"):
        await backend.open_source(await the_id(backend))


async def test_octets_after_a_message_close_the_session(mailboxes: Mailboxes) -> None:
    """R-POP-07: what follows the end is never read as the next answer."""
    server = Pop3Server(letters(2), twists={"RETR": [b"+OK\r\nA: b\r\n.\r\n+OK\r\nEvil: 1\r\n.\r\n"]})
    backend = await mailboxes.open(server)
    ids = [item.id for item in (await backend.list_messages("inbox", ListQuery())).items]
    with pytest.raises(UpstreamFailure):
        await backend.open_source(ids[0])
    assert (await backend.get_message(ids[1])).subject == "Letter uid-1"
    assert server.connections == 2


async def test_a_refused_retr_leaves_the_session_whole(mailboxes: Mailboxes) -> None:
    """R-POP-21: it is tried once more, in a new session; that one stays."""
    server = Pop3Server(letters(1), twists={"RETR": b"-ERR \x1b[31m<b>gone</b>\xe2\x80\xae " + b"x" * 900 + b"\r\n"})
    backend = await mailboxes.open(server, replace(FAST, linger=5.0))
    message = await the_id(backend)
    with pytest.raises(UpstreamFailure) as caught:
        await backend.open_source(message)
    assert len(caught.value.detail) <= 200
    assert caught.value.detail.isprintable()
    server.twists = {}
    assert (await backend.get_message(message)).subject == "Letter uid-1"
    assert server.connections == 2


async def test_a_slow_reader_holds_no_maildrop(mailboxes: Mailboxes) -> None:
    server = Pop3Server([Stored("x", b"A: b\r\n\r\n" + b"y" * 3_000_000 + b"\r\n")])
    backend = await mailboxes.open(server)
    download = await backend.open_source(await the_id(backend))
    first = await anext(download.chunks)
    await until(lambda: server.inside == 0)
    await backend.check()
    assert first + await octets(download) == server.messages[0].octets


async def test_a_reader_that_goes_away_mid_fetch_closes_the_session(mailboxes: Mailboxes) -> None:
    """R-OPS-09: a cancelled fetch is not drained, and nothing of it is seen by the next."""
    server = Pop3Server(letters(2), twists={"RETR": [b"+OK\r\nA: b\r\n"]})
    backend = await mailboxes.open(server)
    message = await the_id(backend)
    task = asyncio.create_task(backend.open_source(message))
    await until(lambda: "RETR" in server.verbs)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await until(lambda: server.open == 0)
    assert (await backend.get_message(message)).subject == "Letter uid-2"


async def test_fetched_messages_are_kept_for_a_while_only(mailboxes: Mailboxes) -> None:
    server = Pop3Server(letters(6))
    backend = await mailboxes.open(server, replace(FAST, keep=0.02))
    message = await the_id(backend)
    await backend.get_message(message)
    await backend.get_message(message)
    assert server.verbs.count("RETR") == 1
    await until(lambda: backend._sources.get(b"uid-6") is None)
    await backend.get_message(message)
    assert server.verbs.count("RETR") == 2

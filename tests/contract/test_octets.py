"""Parts and sources, octet for octet."""

import asyncio
from base64 import encodebytes
from collections.abc import Callable
from hashlib import sha256
from random import Random

import pytest

from service.mail.errors import RangeNotSatisfiable
from service.mail.exchange import Span
from tests.contract.conftest import OpenMailbox, read
from tests.contract.letters import (
    ATTACHED,
    HTML,
    HTML_STORED,
    NOTE,
    PDF,
    PDF_STORED,
    RICH,
    TEXT,
    TEXT_STORED,
    Letter,
    large,
    plain,
    plains,
)

SPANS = [
    Span(0, 0),
    Span(0, 9),
    Span(3, 7),
    Span(5, None),
    Span(None, 4),
    Span(None, 1),
    Span(0, None),
    Span(2, 10**12),
    Span(None, 10**12),
]


def b64lines(octets: bytes) -> bytes:
    return encodebytes(octets).replace(b"\n", b"\r\n")


@pytest.mark.parametrize(
    ("part", "octets"),
    [("1.1", TEXT.encode()), ("1.2", HTML.encode()), ("2", PDF), ("3", NOTE), ("4", ATTACHED)],
    ids=["quoted-printable", "base64 text", "base64", "8bit", "message"],
)
async def test_a_part_is_decoded_octet_for_octet(open_mailbox: OpenMailbox, part: str, octets: bytes) -> None:
    mailbox = await open_mailbox(Letter(RICH))
    download = await mailbox.backend.open_part((await mailbox.newest()).id, part)
    assert await read(download) == octets
    assert download.size in {None, len(octets)}
    assert download.start == 0


@pytest.mark.parametrize(
    ("part", "octets"),
    [("1.1", TEXT_STORED), ("1.2", HTML_STORED), ("2", PDF_STORED), ("3", NOTE), ("4", ATTACHED)],
    ids=["quoted-printable", "base64 text", "base64", "8bit", "message"],
)
async def test_a_part_may_be_read_as_stored(open_mailbox: OpenMailbox, part: str, octets: bytes) -> None:
    mailbox = await open_mailbox(Letter(RICH))
    download = await mailbox.backend.open_part((await mailbox.newest()).id, part, encoded=True)
    assert await read(download) == octets
    assert download.size in {None, len(octets)}


async def test_the_body_of_a_message_without_parts_is_part_one(open_mailbox: OpenMailbox) -> None:
    mailbox = await open_mailbox(Letter(plain("one", body="Zwölf Boxkämpfer")))
    download = await mailbox.backend.open_part((await mailbox.newest()).id, "1")
    assert await read(download) == "Zwölf Boxkämpfer\r\n".encode()
    assert download.type == "text/plain"


async def test_a_download_says_type_and_name_and_keeps_its_etag(open_mailbox: OpenMailbox) -> None:
    mailbox = await open_mailbox(Letter(RICH))
    message = (await mailbox.newest()).id
    first, again, encoded, source = [
        await mailbox.backend.open_part(message, "2"),
        await mailbox.backend.open_part(message, "2", span=Span(0, 3)),
        await mailbox.backend.open_part(message, "2", encoded=True),
        await mailbox.backend.open_source(message),
    ]
    assert (first.type, first.name) == ("application/pdf", "Bericht für Köln.pdf")
    assert source.type == "message/rfc822"
    assert first.etag == again.etag
    assert len({first.etag, encoded.etag, source.etag}) == 3
    for download in (first, again, encoded, source):
        await download.chunks.aclose()


@pytest.mark.parametrize("encoded", [False, True], ids=["decoded", "as stored"])
async def test_a_span_of_a_part_is_cut_exactly(open_mailbox: OpenMailbox, encoded: bool) -> None:
    mailbox, octets = await open_mailbox(Letter(RICH)), PDF_STORED if encoded else PDF
    message = (await mailbox.newest()).id
    for span in [*SPANS, Span(len(octets) - 1, None)]:
        start, stop = span.within(len(octets))
        download = await mailbox.backend.open_part(message, "2", encoded=encoded, span=span)
        assert (download.size, download.start, download.stop) == (len(octets), start, stop), span
        assert await read(download) == octets[start:stop], span


async def test_a_span_of_the_source_is_cut_exactly(open_mailbox: OpenMailbox) -> None:
    mailbox = await open_mailbox(Letter(RICH))
    message = (await mailbox.newest()).id
    for span in [*SPANS, Span(len(RICH) - 1, None)]:
        start, stop = span.within(len(RICH))
        download = await mailbox.backend.open_source(message, span=span)
        assert (download.size, download.start, download.stop) == (len(RICH), start, stop), span
        assert await read(download) == RICH[start:stop], span


async def test_a_span_beyond_the_end_cannot_be_satisfied(open_mailbox: OpenMailbox) -> None:
    mailbox = await open_mailbox(Letter(RICH))
    backend, message = mailbox.backend, (await mailbox.newest()).id
    for size, first in ((len(RICH), None), (len(PDF), False), (len(PDF_STORED), True)):
        for span in (Span(size, None), Span(size + 5, size + 9), Span(None, 0)):
            with pytest.raises(RangeNotSatisfiable) as outside:
                if first is None:
                    await backend.open_source(message, span=span)
                else:
                    await backend.open_part(message, "2", encoded=first, span=span)
            assert outside.value.size == size


@pytest.mark.parametrize("source", [RICH, plain("short"), large(3_000_000)], ids=["rich", "short", "large"])
async def test_the_source_is_the_message_octet_for_octet(open_mailbox: OpenMailbox, source: bytes) -> None:
    mailbox = await open_mailbox(Letter(source))
    download = await mailbox.backend.open_source((await mailbox.newest()).id)
    found = await read(download)
    assert sha256(found).hexdigest() == sha256(source).hexdigest()
    assert download.size in {None, len(source)}


async def test_a_span_across_a_large_source_is_cut_exactly(open_mailbox: OpenMailbox) -> None:
    source = large(3_000_000)
    mailbox = await open_mailbox(Letter(source))
    message = (await mailbox.newest()).id
    for span in (Span(1_000_000, 2_200_000), Span(None, 1_500_000), Span(2_999_000, None)):
        start, stop = span.within(len(source))
        assert await read(await mailbox.backend.open_source(message, span=span)) == source[start:stop]


@pytest.mark.parametrize(
    "write",
    [b64lines, lambda octets: b64lines(octets[:500_001]) + b64lines(octets[500_001:]), lambda octets: b64lines(octets).replace(b"\r\n", b"\r\n\r\n", 1)],
    ids=["lines of one length", "two in one", "an empty line"],
)  # fmt: skip
async def test_a_span_of_a_large_part_is_cut_exactly(
    open_mailbox: OpenMailbox, write: Callable[[bytes], bytes]
) -> None:
    """By arithmetic if all base64 lines have one length, else by decoding from the start."""
    octets = Random(1).randbytes(1_500_001)
    head = b"Subject: large part\r\nMIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n"
    part = b"Content-Type: application/pdf\r\nContent-Transfer-Encoding: base64\r\n\r\n" + write(octets)
    mailbox = await open_mailbox(Letter(head + part + b"--b--\r\n"))
    message = (await mailbox.newest()).id
    for span in (
        Span(0, 0), Span(1_000_000, 1_000_001), Span(400_000, 1_400_000), Span(None, 1), Span(1_499_999, None), Span(0, None),
    ):  # fmt: skip
        start, stop = span.within(len(octets))
        download = await mailbox.backend.open_part(message, "1", span=span)
        assert (download.start, download.stop, download.size) == (start, stop, len(octets))
        assert await read(download) == octets[start:stop]


async def test_a_download_may_be_left_early_and_the_mailbox_goes_on(open_mailbox: OpenMailbox) -> None:
    source = large(3_000_000)
    mailbox = await open_mailbox(Letter(plain("small")), Letter(source))
    message = (await mailbox.newest()).id
    for _ in range(6):  # more often than a mailbox has connections
        download = await mailbox.backend.open_source(message)
        begun = await anext(download.chunks)
        assert source.startswith(begun)
        await download.chunks.aclose()
        unread = await mailbox.backend.open_part(message, "1")
        await unread.chunks.aclose()
    assert [row.subject for row in await mailbox.all()] == ["large", "small"]
    assert await read(await mailbox.backend.open_source(message)) == source


async def test_twenty_readers_at_once_get_each_their_own(open_mailbox: OpenMailbox) -> None:
    mailbox = await open_mailbox(*plains(20))
    ids = await mailbox.ids()

    async def source(name: str) -> bytes:
        return await read(await mailbox.backend.open_source(ids[name]))

    async def subject(name: str) -> str | None:
        return (await mailbox.backend.get_message(ids[name])).subject

    names = [str(number) for number in range(20)]
    sources, told = await asyncio.gather(asyncio.gather(*map(source, names)), asyncio.gather(*map(subject, names)))
    assert sources == [plain(name) for name in names]
    assert told == names

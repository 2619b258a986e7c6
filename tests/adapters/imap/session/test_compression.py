"""COMPRESS=DEFLATE (RFC 4978)."""

import zlib
from collections.abc import Iterator
from contextlib import aclosing

import pytest

from service.accounts.credentials import Credentials
from service.accounts.servers import Endpoint, Security
from service.adapters.imap.backend import ImapBackend
from service.adapters.imap.ids import Ids
from service.mail.errors import MailError
from service.mail.model import Protocol
from service.mail.search.filter import ListQuery
from tests.adapters.imap.conftest import CAPABILITIES, CREDENTIALS, Scripted, asked
from tests.contract.test_writing import Octets
from tests.servers.dovecot import PASSWORD, Dovecot
from tests.servers.process import HOST
from tests.servers.scripted import Compress, Raw

OFFERED = CAPABILITIES + b" COMPRESS=DEFLATE"
FIRST = Ids(CREDENTIALS.account).message(b"INBOX", 7, 1)
FLAGS = b"* 1 FETCH (UID 1 FLAGS (\\Seen))\r\n{tag} OK done\r\n"


@pytest.fixture(scope="module")
def compressing() -> Iterator[Dovecot]:
    with Dovecot(settings="protocol imap {\n  mail_plugins = $mail_plugins imap_zlib\n}") as server:
        yield server


@pytest.mark.dovecot
async def test_octets_are_exact_on_a_compressed_connection(compressing: Dovecot) -> None:
    """R-IMAP-28: downloads and uploads, with a real server."""
    user, source = compressing.user(), b"Subject: a\r\n\r\n" + bytes(range(14, 256)) * 4000
    compressing.seed(user, [(source, (), None)])
    endpoint = Endpoint(HOST, compressing.ports.imap, Security.NONE, compress=True)
    mailbox = ImapBackend(endpoint, Credentials("home", Protocol.IMAP, user, PASSWORD))
    try:
        [row] = (await mailbox.list_messages("inbox", ListQuery())).items
        assert await content(mailbox, row.id) == source
        added = await mailbox.append_message("inbox", Octets(source))
        assert added is not None
        assert await content(mailbox, added) == source
    finally:
        await mailbox.aclose()


async def content(mailbox: ImapBackend, message: str) -> bytes:
    """The source of the message."""
    download = await mailbox.open_source(message)
    async with aclosing(download.chunks) as chunks:
        return b"".join([chunk async for chunk in chunks])


async def test_compression_costs_no_round_trip_and_comes_once(scripted: Scripted) -> None:
    """R-IMAP-28: it travels behind the first commands of a connection."""
    async with scripted({"UID FETCH": FLAGS}, capabilities=OFFERED, compress=True) as (server, mailbox):
        await mailbox.get_flags(FIRST)
        assert asked(server) == ["SELECT", "COMPRESS", "UID FETCH"]
        compressed = server.round_trips
    async with scripted({"UID FETCH": FLAGS}) as (server, mailbox):
        await mailbox.get_flags(FIRST)
        assert server.round_trips == compressed


async def test_a_connection_on_this_machine_is_not_compressed(scripted: Scripted) -> None:
    async with scripted({"UID FETCH": FLAGS}, capabilities=OFFERED) as (server, mailbox):
        await mailbox.get_flags(FIRST)
        assert "COMPRESS" not in server.verbs


async def test_a_server_that_refuses_compression_is_used_without(scripted: Scripted) -> None:
    """No connection of the mailbox asks again."""
    answers = {"UID FETCH": FLAGS, "COMPRESS": b"{tag} NO [COMPRESSIONACTIVE] TLS does it\r\n"}
    async with scripted(answers, capabilities=OFFERED, compress=True) as (server, mailbox):
        assert (await mailbox.get_flags(FIRST)).flags == ("$seen",)
        await server.connected[0].end()
        assert (await mailbox.get_flags(FIRST)).flags == ("$seen",)
        assert server.verbs.count("COMPRESS") == 1


@pytest.mark.parametrize("size", [1, 2, 7, 1000])
async def test_compressed_octets_may_come_in_any_pieces(scripted: Scripted, size: int) -> None:
    """R-IMAP-28: the consent too, and news right behind it in the same piece."""
    consent = [Compress(b"* 4 EXISTS\r\n", size)]
    async with scripted({"UID FETCH": FLAGS, "COMPRESS": consent}, capabilities=OFFERED, compress=True) as (_, mailbox):
        for _ in range(3):
            assert (await mailbox.get_flags(FIRST)).flags == ("$seen",)


BOMB = zlib.compressobj(9, wbits=-15)
FEW = BOMB.compress(b"* 1 FETCH (FLAGS ())\r\n" * 5_000_000) + BOMB.flush(zlib.Z_SYNC_FLUSH)
LINE = zlib.compressobj(9, wbits=-15)
ENDLESS = LINE.compress(b"* OK " + bytes(1 << 27)) + LINE.flush(zlib.Z_SYNC_FLUSH)
END = zlib.compressobj(wbits=-15)


@pytest.mark.parametrize(
    "octets",
    [FEW, ENDLESS, b"\xff" * 100, END.compress(b"* OK\r\n") + END.flush(), b"* OK in clear\r\n"],
    ids=["rows", "a line without end", "garbage", "the end of the data", "clear text"],
)
async def test_what_compression_hides_is_bounded(scripted: Scripted, octets: bytes) -> None:
    """R-IMAP-28: a hundred megabytes in a hundred kilobytes end at the usual limits, damaged data at once."""
    answers = {"UID FETCH": FLAGS, "UID STORE": [Raw(octets)]}
    async with scripted(answers, capabilities=OFFERED, compress=True) as (_, mailbox):
        await mailbox.get_flags(FIRST)
        with pytest.raises(MailError):
            await mailbox.change_flags(FIRST, ["$flagged"], [])

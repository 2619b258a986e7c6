"""The adapter on a server that does what servers do, and worse."""

import asyncio
import inspect
import resource
import time

import pytest
from aioimaplib.aioimaplib import IMAP4, IMAP4ClientProtocol

from service.accounts.credentials import Credentials, SecretKind
from service.accounts.servers import Endpoint, Security
from service.adapters.imap.ids import Ids
from service.adapters.imap.session.connection import Connection
from service.adapters.imap.session.selection import select
from service.adapters.imap.wire.octets.framing import Limits
from service.adapters.imap.wire.responses import fetch_rows, found_uids
from service.mail.errors import (
    InvalidRequest,
    LoginRefused,
    MailError,
    NotFound,
    NotPermitted,
    OverQuota,
    StaleId,
    TooManyRequests,
    UpstreamError,
    UpstreamFailure,
    UpstreamProtocol,
    UpstreamTimeout,
    UpstreamTls,
    UpstreamUnavailable,
)
from service.mail.model import Protocol
from service.mail.search.filter import Condition, Criterion, ListQuery
from tests.adapters.imap.conftest import CREDENTIALS, TIMING, Scripted, asked
from tests.servers.scripted import Answer, Answers, Close, Drip, Expect, Flood, Hang, Send

IDS = Ids(CREDENTIALS.account)
FIRST = IDS.message(b"INBOX", 7, 1)
ENVELOPE = b'ENVELOPE (NIL "%b" NIL NIL NIL NIL NIL NIL NIL "<1@example.org>")'


def row(number: int, subject: bytes = b"hello", uid: int | None = None) -> bytes:
    return b"* %d FETCH (UID %d FLAGS (\\Seen) RFC822.SIZE 9 %b)\r\n" % (number, uid or number, ENVELOPE % subject)


PAGE = row(1) + row(2) + row(3) + b"{tag} OK done\r\n"


def memory() -> int:
    """The process's peak, in octets."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


async def subjects(mailbox: object) -> list[str | None]:
    page = await mailbox.list_messages("inbox", ListQuery())  # type: ignore[attr-defined]
    return [item.subject for item in page.items]


def test_aioimaplib_has_the_private_names_in_use() -> None:
    """The library is pinned; a new version that moves these fails here, not in production."""
    assert list(inspect.signature(IMAP4.create_client).parameters) == [
        "self", "host", "port", "loop", "conn_lost_cb", "ssl_context",
    ]  # fmt: skip
    assert "_client_task" in inspect.getsource(IMAP4.create_client)
    assert {"new_tag", "connection_made", "data_received", "connection_lost"} <= vars(IMAP4ClientProtocol).keys()


async def test_ten_thousand_flags_come_in_one_answer(scripted: Scripted) -> None:
    """R-IMAP-18: the library recurses here and is quadratic."""
    lines = b"".join(b"* %d FETCH (UID %d FLAGS (\\Seen))\r\n" % (n, n) for n in range(1, 10_001))
    async with scripted({"UID FETCH": lines + b"{tag} OK done\r\n"}) as (server, _):
        connection = await Connection.open(Endpoint(server.host, server.port, Security.NONE), CREDENTIALS, TIMING)
        await select(connection, b"INBOX")
        answer = await connection.run([b"UID", b"FETCH", b"1:*", b"(UID FLAGS)"])
        assert list(await fetch_rows(answer.untagged)) == list(range(1, 10_001))
        await connection.logout()


async def test_an_answer_before_the_connection_closes_is_read(scripted: Scripted) -> None:
    """R-IMAP-09: the connection ends while much of the answer still waits to be read."""
    lines = b"".join(b"* %d FETCH (UID %d FLAGS (\\Seen))\r\n" % (n, n) for n in range(1, 20_001))
    async with scripted({"UID FETCH": [lines + b"{tag} OK done\r\n", Close()]}) as (server, _):
        connection = await Connection.open(Endpoint(server.host, server.port, Security.NONE), CREDENTIALS, TIMING)
        await select(connection, b"INBOX")
        answer = await connection.run([b"UID", b"FETCH", b"1:*", b"(UID FLAGS)"])
        assert len(answer.untagged) == 20_000


@pytest.mark.parametrize("subject", [":(", "5 * 3", "a* b", ")", "{5}", "* 1 FETCH ("])
async def test_a_subject_that_looks_like_syntax_is_text(scripted: Scripted, subject: str) -> None:
    """The library counts parentheses and removes stars."""
    answer = row(1) + row(2, subject.encode()) + row(3) + b"{tag} OK done\r\n"
    async with scripted({"FETCH": answer}) as (_, mailbox):
        assert await subjects(mailbox) == ["hello", subject, "hello"]


async def test_a_folder_with_a_star_in_its_name_keeps_it(scripted: Scripted) -> None:
    """R-IMAP-24: listed, and selected by what is sent back."""
    listed = b'* LIST (\\HasNoChildren) "/" "a* b"\r\n{tag} OK done\r\n'
    async with scripted({"LIST": listed, "FETCH": PAGE}) as (server, mailbox):
        folders = await mailbox.list_folders()
        assert [folder.name for folder in folders] == ["INBOX", "a* b"]
        await mailbox.list_messages(folders[1].id, ListQuery())
        assert b'SELECT "a* b"' in server.commands


async def test_a_user_with_a_space_logs_in(scripted: Scripted) -> None:
    """R-HTTP-01: user names are quoted."""
    user = Credentials("scripted", Protocol.IMAP, 'a "b" {5}', "x")
    async with scripted(credentials=user) as (server, mailbox):
        await mailbox.check()
        assert b'LOGIN "a \\"b\\" {5}" "x"' in server.commands


async def test_three_concurrent_fetches_each_get_their_own(scripted: Scripted) -> None:
    """The library has only one slot for each command name."""

    def own(command: bytes) -> bytes:
        uid = command.split()[2]
        return b"* %b FETCH (UID %b FLAGS (f%b))\r\n{tag} OK done\r\n" % (uid, uid, uid)

    async with scripted({"UID FETCH": own}) as (server, mailbox):
        results = await asyncio.gather(*(mailbox.get_flags(IDS.message(b"INBOX", 7, uid)) for uid in range(1, 31)))
        flags = [result.flags for result in results]
        assert flags == [(f"f{uid}",) for uid in range(1, 31)]
        assert server.connections == 2


async def test_a_lost_connection_is_known_at_once(scripted: Scripted) -> None:
    """R-IMAP-09: no request waits for a deadline."""
    async with scripted({"UID STORE": [Close()]}, timing=type(TIMING)()) as (_, mailbox):
        await mailbox.check()
        began = time.monotonic()
        with pytest.raises(UpstreamUnavailable):
            await mailbox.change_flags(FIRST, ["$seen"], [])
        assert time.monotonic() - began < 5


async def test_a_dead_pooled_connection_is_replaced_for_a_read(scripted: Scripted) -> None:
    """R-IMAP-09: reads are done once more on a new connection."""
    calls = 0

    def leave_once(_: bytes) -> Answer:
        nonlocal calls
        calls += 1
        return [Close()] if calls == 1 else b"* 1 FETCH (UID 1 FLAGS (\\Seen))\r\n{tag} OK done\r\n"

    async with scripted({"UID FETCH": leave_once}) as (server, mailbox):
        assert (await mailbox.get_flags(FIRST)).flags == ("$seen",)
        assert server.connections == 2


@pytest.mark.parametrize(
    "greeting",
    [
        b"HTTP/1.1 200 OK\r\n\r\n", b"220 mail.example.org ESMTP\r\n", b"SSH-2.0-x\r\n", b"\x16\x03\x01\x00\x05", b"\0\1\2",
        b"* OKAY\r\n", b"*OK\r\n", b"OK\r\n", b"A1 OK hello\r\n", b"+ OK\r\n", b"* NO\r\n", b"\r\n",
    ],
)  # fmt: skip
async def test_a_garbage_greeting_ends_it_before_a_credential_is_sent(scripted: Scripted, greeting: bytes) -> None:
    """R-IMAP-12: known from the first octets, not by a deadline."""
    async with scripted(opening=Send(greeting)) as (server, mailbox):
        with pytest.raises(UpstreamProtocol):
            await mailbox.check()
        assert server.commands == []


async def test_a_bye_greeting_is_unavailable(scripted: Scripted) -> None:
    """R-IMAP-09: at once."""
    async with scripted(opening=Send(b"* BYE [UNAVAILABLE] too many\r\n")) as (server, mailbox):
        with pytest.raises(UpstreamUnavailable) as caught:
            await mailbox.check()
        assert caught.value.code == "UNAVAILABLE"
        assert "too many" not in caught.value.detail
        assert server.commands == []


async def test_preauth_is_not_accepted(scripted: Scripted) -> None:
    """R-IMAP-14: no credentials were checked."""
    async with scripted(opening=Send(b"* PREAUTH welcome\r\n")) as (server, mailbox):
        with pytest.raises(UpstreamTls):
            await mailbox.check()
        assert server.commands == []


@pytest.mark.parametrize("answers", [None, {"CAPABILITY": [Hang()]}, {"LOGIN": [Hang()]}])
async def test_a_silent_server_meets_a_deadline(scripted: Scripted, answers: "Answers | None") -> None:
    """R-IMAP-11: after accept, after greeting, after login."""
    async with scripted(answers, opening=Hang() if answers is None else None) as (_, mailbox):
        with pytest.raises(UpstreamTimeout):
            await mailbox.check()


async def test_an_octet_now_and_then_does_not_stretch_the_deadline(scripted: Scripted) -> None:
    """R-IMAP-10: the total holds, not only the pause between octets."""
    async with scripted({"UID STORE": [Drip(b"* 1 FETCH (UID 1 FLAGS (" + b"x " * 1000, 0.01)]}) as (_, mailbox):
        began = time.monotonic()
        with pytest.raises(UpstreamTimeout):
            await mailbox.change_flags(FIRST, ["$seen"], [])
        assert time.monotonic() - began < TIMING.command * 2 + 2


@pytest.mark.parametrize("start", [b"greeting", b"* 1 FETCH (", b"{tag} OK "])
async def test_an_endless_line_is_refused_with_memory_flat(scripted: Scripted, start: bytes) -> None:
    """R-IMAP-01: in greeting, untagged and tagged; the peak grows by less than 32 MB."""
    flood = Flood(b"x" * 65536, 100 << 20)
    opening = Flood(b"* OK " + b"x" * 65531, 100 << 20) if start == b"greeting" else None
    async with scripted({"UID STORE": [Send(start), flood]}, opening=opening) as (_, mailbox):
        before = memory()
        with pytest.raises(UpstreamProtocol):
            await mailbox.change_flags(FIRST, ["$seen"], [])
        assert memory() - before < 32 << 20


async def test_a_literal_of_two_gigabytes_is_refused_where_it_is_announced(scripted: Scripted) -> None:
    """R-IMAP-02: before an octet of it is read."""
    huge = [Send(b"* 1 FETCH (UID 1 BODY[] {2147483648}\r\n"), Flood(b"x" * 65536, 100 << 20)]
    async with scripted({"UID FETCH": huge}) as (_, mailbox):
        before = memory()
        with pytest.raises(UpstreamProtocol):
            await mailbox.open_source(FIRST)
        assert memory() - before < 32 << 20


@pytest.mark.parametrize(
    "answer",
    [
        b"A999 OK done\r\n", b"{tag} FINE\r\n", b"+ more\r\n", b"{tag} OK\r\n{tag} OK again\r\n* 1 EXISTS\r\nnonsense\r\n",
        b"* 1 FETCH (UID 1 BODY[]<0> {3}\r\nabcdefg)\r\n{tag} OK done\r\n",
    ],
)  # fmt: skip
async def test_an_answer_that_belongs_to_no_command_closes_the_connection(scripted: Scripted, answer: bytes) -> None:
    """R-IMAP-04, R-IMAP-05: unknown tags, unexpected continuations, literals longer than announced; the next request
    has a new connection."""
    async with scripted({"UID FETCH": answer}) as (server, mailbox):
        with pytest.raises((UpstreamFailure, NotFound)):
            await mailbox.open_source(FIRST)
        with pytest.raises((UpstreamFailure, NotFound)):
            await mailbox.open_source(FIRST)
        assert server.connections >= 2


async def test_no_data_before_ok_is_no_message(scripted: Scripted) -> None:
    """R-IMAP-05: a tagged OK without a row is 404, not an empty 200."""
    async with scripted() as (_, mailbox):
        with pytest.raises(NotFound):
            await mailbox.open_source(FIRST)


@pytest.mark.parametrize(
    "answer",
    [
        b"* 1 FETCH (UID 2 RFC822.SIZE 3 BODY[]<0> {3}\r\nabc)\r\n", b"* 1 FETCH (RFC822.SIZE 3 BODY[]<0> {3}\r\nabc)\r\n",
        b"* 1 EXPUNGE\r\n* 2 FETCH (UID 2 BODY[]<0> {3}\r\nabc)\r\n", b"* 1 FETCH (UID 1)\r\n",
    ],
)  # fmt: skip
async def test_octets_of_another_message_are_never_returned(scripted: Scripted, answer: bytes) -> None:
    """R-IMAP-06, R-IMAP-07: rows without the UID, or of another one."""
    async with scripted({"UID FETCH": answer + b"{tag} OK done\r\n"}) as (_, mailbox):
        with pytest.raises(NotFound):
            await mailbox.open_source(FIRST)


@pytest.mark.parametrize("uid", [b"0", b"4294967296", b"x", b"NIL", b"(1)", b"-1"])
async def test_impossible_uids_are_a_broken_answer(scripted: Scripted, uid: bytes) -> None:
    """R-IMAP-07."""
    async with scripted({"UID FETCH": b"* 1 FETCH (UID " + uid + b" FLAGS ())\r\n{tag} OK done\r\n"}) as (_, mailbox):
        with pytest.raises(UpstreamProtocol):
            await mailbox.get_flags(FIRST)


async def test_contradicting_rows_of_a_message_are_a_broken_answer(scripted: Scripted) -> None:
    """R-IMAP-07: duplicate UIDs."""
    answer = b"* 1 FETCH (UID 1 BODY[]<0> {1}\r\na)\r\n* 2 FETCH (UID 1 BODY[]<0> {1}\r\nb)\r\n{tag} OK done\r\n"
    async with scripted({"UID FETCH": answer}) as (_, mailbox):
        with pytest.raises(UpstreamProtocol):
            await mailbox.open_source(FIRST)


async def test_news_of_other_clients_do_not_disturb_a_list(scripted: Scripted) -> None:
    """R-IMAP-06: EXISTS, RECENT and flags of others within an answer."""
    news = b"* 4 EXISTS\r\n* 1 RECENT\r\n* 9 FETCH (FLAGS (\\Deleted))\r\n* 8 FETCH (UID 8 FLAGS ())\r\n* FLAGS (x)\r\n"
    async with scripted({"FETCH": row(1) + news + row(2) + row(3) + b"{tag} OK done\r\n"}) as (_, mailbox):
        assert await subjects(mailbox) == ["hello"] * 3


async def test_a_renumbered_folder_is_410_and_nothing_is_sent(scripted: Scripted) -> None:
    """R-IMAP-08: no flag and no deletion by a stale id goes out."""
    stale = IDS.message(b"INBOX", 6, 1)
    async with scripted() as (server, mailbox):
        with pytest.raises(StaleId):
            await mailbox.change_flags(stale, ["$seen"], [])
        [outcome] = await mailbox.delete_messages([stale])
        assert isinstance(outcome.error, StaleId)
        assert set(asked(server)) == {"SELECT"}


@pytest.mark.parametrize(
    "description",
    [b"", b"* OK [UIDVALIDITY 0] x\r\n", b"* OK [UIDVALIDITY x] x\r\n", b"* OK [UIDVALIDITY 4294967296] x\r\n"],
)
async def test_a_folder_without_uidvalidity_is_not_used(scripted: Scripted, description: bytes) -> None:
    """R-IMAP-08: missing, zero, not a number, beyond 32 bits."""
    async with scripted({"SELECT": b"* 3 EXISTS\r\n" + description + b"{tag} OK done\r\n"}) as (_, mailbox):
        with pytest.raises(UpstreamProtocol):
            await mailbox.get_flags(FIRST)


async def test_a_renumbering_during_a_session_closes_the_connection(scripted: Scripted) -> None:
    """R-IMAP-08: the answer it comes in is not used."""
    renumbered = b"* OK [UIDVALIDITY 8] new\r\n* 1 FETCH (UID 1 FLAGS (\\Seen))\r\n{tag} OK done\r\n"
    async with scripted({"UID STORE": renumbered}) as (server, mailbox):
        with pytest.raises(UpstreamUnavailable):
            await mailbox.change_flags(FIRST, ["$seen"], [])
        assert server.connections == 2


CODES: list[tuple[bytes, type[MailError]]] = [
    (b"NO [NOPERM] x", NotPermitted), (b"NO [OVERQUOTA] x", OverQuota), (b"no [overquota] x", OverQuota),
    (b"NO [UNAVAILABLE] x", UpstreamUnavailable), (b"NO [LIMIT] x", TooManyRequests), (b"NO [SERVERBUG] x", UpstreamError),
    (b"NO [CANNOT] x", InvalidRequest), (b"NO x", UpstreamError), (b"NO", UpstreamError), (b"NO [WHATEVER 1 2] x", UpstreamError),
    (b"BAD x", UpstreamError), (b"NO [EXPUNGEISSUED] x", NotFound), (b"NO [READ-ONLY] x", NotPermitted),
]  # fmt: skip


@pytest.mark.parametrize(("status", "error"), CODES)
async def test_a_refusal_means_what_its_code_says(scripted: Scripted, status: bytes, error: type[MailError]) -> None:
    """R-IMAP-19: to STORE; unknown codes are the default."""
    async with scripted({"UID STORE": b"{tag} " + status + b"\r\n"}) as (_, mailbox):
        with pytest.raises(error) as caught:
            await mailbox.change_flags(FIRST, ["$seen"], [])
        assert type(caught.value) is error


@pytest.mark.parametrize(
    ("status", "error"),
    [
        (b"NO", LoginRefused), (b"NO [AUTHENTICATIONFAILED] x", LoginRefused), (b"NO [EXPIRED] x", LoginRefused),
        (b"NO [AUTHORIZATIONFAILED] x", NotPermitted), (b"NO [PRIVACYREQUIRED] x", UpstreamTls),
        (b"NO [LIMIT] x", TooManyRequests), (b"NO [UNAVAILABLE] x", UpstreamUnavailable), (b"NO [CONTACTADMIN] x", UpstreamError),
        (b"NO [REFERRAL imap://evil.example.net/] x", LoginRefused),
    ],
)  # fmt: skip
async def test_a_refused_login_is_reported_and_not_repeated(
    scripted: Scripted, status: bytes, error: type[MailError]
) -> None:
    """R-IMAP-19, R-IMAP-20, R-IMAP-21: what is said before login is not shown, referrals are not followed."""
    async with scripted({"LOGIN": b"{tag} " + status + b" <b>secret word</b>\r\n"}) as (server, mailbox):
        with pytest.raises(error) as caught:
            await mailbox.check()
        assert "secret word" not in caught.value.detail
        assert sum(command.startswith(b"LOGIN") for command in server.commands) == 1


async def test_text_of_a_server_is_shown_clean_and_short(scripted: Scripted) -> None:
    """R-IMAP-20: no control characters, no change of direction, 200 characters."""
    said = "NO \x1b[31m\u202eevil\u2066 " + "x" * 1000
    async with scripted({"UID STORE": b"{tag} " + said.encode() + b"\r\n"}) as (_, mailbox):
        with pytest.raises(UpstreamError) as caught:
            await mailbox.change_flags(FIRST, ["$seen"], [])
        assert len(caught.value.detail) <= 200
        assert not set(caught.value.detail) & set("\x1b\u202e\u2066")


@pytest.mark.parametrize(
    "answer", [b"{tag} NO\r\n", b"{tag} BAD\r\n", b"{tag} OK\r\n* CAPABILITY IMAP4rev1\r\n", b"{tag} OK\r\nA"]
)
async def test_starttls_refused_or_injected_ends_the_connection(scripted: Scripted, answer: bytes) -> None:
    """R-IMAP-13, R-IMAP-14: never a credential in clear, nothing kept that came before TLS."""
    async with scripted({"STARTTLS": answer}, security=Security.STARTTLS) as (server, mailbox):
        with pytest.raises(UpstreamTls):
            await mailbox.check()
        assert asked(server) == ["STARTTLS"]


async def test_octets_instead_of_a_handshake_end_the_connection(scripted: Scripted) -> None:
    """R-IMAP-13: in the next segment."""
    inject = [Send(b"{tag} OK begin\r\n"), Drip(b"* OK [CAPABILITY IMAP4rev1] injected\r\n", 0), Hang()]
    async with scripted({"STARTTLS": inject}, security=Security.STARTTLS) as (server, mailbox):
        with pytest.raises((UpstreamTls, UpstreamUnavailable, UpstreamTimeout)):
            await mailbox.check()
        assert asked(server) == ["STARTTLS"]


async def test_a_server_that_disables_login_gets_no_password(scripted: Scripted) -> None:
    """R-IMAP-14."""
    async with scripted(capabilities=b"IMAP4rev1 LOGINDISABLED") as (server, mailbox):
        with pytest.raises(UpstreamTls):
            await mailbox.check()
        assert b"canary" not in b"".join(server.commands)


@pytest.mark.parametrize(
    ("capabilities", "command"),
    [
        (b"IMAP4rev1 SASL-IR AUTH=XOAUTH2", b"AUTHENTICATE XOAUTH2 dXNlcj1hQGV4YW1wbGUub3JnAWF1dGg9QmVhcmVyIHRvawEB"),
        (b"IMAP4rev1 SASL-IR AUTH=XOAUTH2 AUTH=OAUTHBEARER", b"AUTHENTICATE OAUTHBEARER bixhPWFAZXhhbXBsZS5vcmcsAWF1dGg9QmVhcmVyIHRvawEB"),
        (b"IMAP4rev1 AUTH=XOAUTH2", b"AUTHENTICATE XOAUTH2"),
    ],
)  # fmt: skip
async def test_an_access_token_logs_in(scripted: Scripted, capabilities: bytes, command: bytes) -> None:
    """RFC 7628 and XOAUTH2, with the first response in the command if the server allows it (RFC 4959)."""
    user = Credentials("scripted", Protocol.IMAP, "a@example.org", "tok", SecretKind.ACCESS_TOKEN)
    async with scripted(credentials=user, capabilities=capabilities) as (server, mailbox):
        await mailbox.check()
        assert command in server.commands


async def test_a_refused_access_token_is_reported_at_once(scripted: Scripted) -> None:
    """The library waits for the deadline here: the error comes as a challenge that needs an empty response."""
    refuse = [Send(b"+ eyJzdGF0dXMiOiI0MDEifQ==\r\n"), Expect(b"", tagged=False), Send(b"{tag} NO refused\r\n")]
    user = Credentials("scripted", Protocol.IMAP, "a@example.org", "tok", SecretKind.ACCESS_TOKEN)
    capabilities = b"IMAP4rev1 SASL-IR AUTH=XOAUTH2"
    async with scripted({"AUTHENTICATE": refuse}, credentials=user, capabilities=capabilities) as (_, mailbox):
        with pytest.raises(LoginRefused):
            await mailbox.check()


@pytest.mark.parametrize(
    ("call", "trips", "verbs"),
    [
        ("list_folders", 2, ["LIST", "LSUB", "STATUS"]), ("list_messages", 2, ["SELECT", "FETCH"]),
        ("get_flags", 1, ["UID FETCH"]), ("change_flags", 1, ["UID STORE"]), ("list_headers", 1, ["UID FETCH"]),
        ("open_part", 1, ["UID FETCH"]), ("open_source", 1, ["UID FETCH"]), ("delete_messages", 3, ["UID STORE", "UID EXPUNGE", "UID FETCH"]),
    ],
)  # fmt: skip
async def test_each_method_costs_the_round_trips_it_states(
    scripted: Scripted, call: str, trips: int, verbs: list[str]
) -> None:
    """The port's docstrings, counted on the wire; the connection is warm and has the folder selected."""
    structure = b'("TEXT" "PLAIN" NIL NIL NIL "7BIT" 3 1 NIL NIL NIL NIL)'
    fetched = b"* 1 FETCH (UID 1 FLAGS () RFC822.SIZE 3 BODYSTRUCTURE %b BODY[1]<0> {3}\r\nabc BODY[HEADER]<0> {8}\r\nA: b\r\n\r\n BODY[]<0> {3}\r\nabc)\r\n"
    rows = fetched % structure
    answers: Answers = {
        "UID FETCH": lambda command: (b"" if command == b"UID FETCH 1 (UID)" else rows) + b"{tag} OK done\r\n", "FETCH": PAGE,
        "UID STORE": b"* 1 FETCH (UID 1 FLAGS (\\Deleted))\r\n{tag} OK done\r\n",
        "LIST": b'* LIST () "/" INBOX\r\n{tag} OK done\r\n',
        "STATUS": b"* STATUS INBOX (MESSAGES 3 UNSEEN 1)\r\n{tag} OK done\r\n",
    }  # fmt: skip
    calls = {
        "list_folders": lambda m: m.list_folders(), "list_messages": lambda m: m.list_messages("inbox", ListQuery()),
        "get_flags": lambda m: m.get_flags(FIRST), "change_flags": lambda m: m.change_flags(FIRST, ["$seen"], []),
        "list_headers": lambda m: m.list_headers(FIRST), "open_part": lambda m: m.open_part(FIRST, "1"),
        "open_source": lambda m: m.open_source(FIRST), "delete_messages": lambda m: m.delete_messages([FIRST]),
    }  # fmt: skip
    async with scripted(answers) as (server, mailbox):
        await (mailbox.check() if call in {"list_folders", "list_messages"} else mailbox.get_flags(FIRST))
        server.commands.clear()
        before = server.round_trips
        await calls[call](mailbox)
        assert asked(server) == verbs
        assert server.round_trips - before == trips


async def test_either_form_of_search_result_is_read(scripted: Scripted) -> None:
    """RFC 4731 and RFC 3501; ranges are bounded (R-IMAP-17)."""
    assert await found_uids([b"SEARCH 3 1 2 2 0", b"SEARCH"]) == [1, 2, 3]
    assert await found_uids([b'ESEARCH (TAG "A1") UID ALL 1:3,7 COUNT 4', b'ESEARCH (TAG "A1") UID']) == [1, 2, 3, 7]
    assert await found_uids([b"SEARCH 1 2 (MODSEQ 9)"]) == [1, 2]
    with pytest.raises(UpstreamProtocol):
        await found_uids([b'ESEARCH (TAG "A1") UID ALL 1:4294967295'])
    async with scripted(
        {"UID SEARCH": b"* SEARCH 2\r\n{tag} OK done\r\n", "UID FETCH": row(2) + b"{tag} OK done\r\n"}
    ) as (server, mailbox):
        page = await mailbox.list_messages("inbox", ListQuery(filter=Condition(Criterion.SUBJECT, "Übersicht")))
        assert (len(page.items), page.total, page.next_cursor) == (1, 1, None)
        assert "UID SEARCH CHARSET UTF-8 SUBJECT {10+}\r\nÜbersicht".encode() in server.commands


async def test_deletion_never_sends_a_bare_expunge(scripted: Scripted) -> None:
    """R-CONC-03: without UIDPLUS nothing is deleted, and the reason is said."""
    async with scripted(capabilities=b"IMAP4rev1") as (server, mailbox):
        [outcome] = await mailbox.delete_messages([FIRST])
        assert outcome.error is not None
        assert "UIDPLUS" in outcome.error.detail
        assert asked(server) == ["SELECT"]


async def test_a_cancelled_caller_closes_its_connection(scripted: Scripted) -> None:
    """R-OPS-09, R-OPS-10: the connection is closed and the next request has a new one."""
    heard = asyncio.Event()

    def never(_: bytes) -> Answer:
        heard.set()
        return [Hang()]

    async with scripted({"UID STORE": never, "UID FETCH": b"* 1 FETCH (UID 1 FLAGS ())\r\n{tag} OK\r\n"}) as (
        server,
        mailbox,
    ):
        task = asyncio.create_task(mailbox.change_flags(FIRST, ["$seen"], []))
        await heard.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert (await mailbox.get_flags(FIRST)).flags == ()
        assert server.connections == 2


async def test_unsolicited_responses_without_end_close_the_connection(scripted: Scripted) -> None:
    """R-IMAP-27: unsolicited responses are bounded too."""
    chatty = [Send(b"* 1 FETCH (UID 1 FLAGS ())\r\n{tag} OK done\r\n"), Flood(b"* 5 EXISTS\r\n" * 1000, 4 << 20)]
    async with scripted({"UID FETCH": chatty}) as (server, mailbox):
        await mailbox.get_flags(FIRST)
        async with asyncio.timeout(5):
            while server.open:
                await asyncio.sleep(0.01)
        assert (await mailbox.get_flags(FIRST)).flags == ()


async def test_the_total_of_an_answer_is_bounded(scripted: Scripted) -> None:
    """R-IMAP-17: many short lines, too."""
    async with scripted(
        {"UID STORE": b"* 1 FETCH (UID 1 FLAGS ())\r\n" * 1000 + b"{tag} OK\r\n"}, limits=Limits(response=9999)
    ) as (_, mailbox):
        with pytest.raises(UpstreamProtocol):
            await mailbox.change_flags(FIRST, ["$seen"], [])


async def test_requests_without_a_connection_wait_in_turn(scripted: Scripted) -> None:
    """R-CONC-09: never more connections than allowed, every request is served."""
    async with scripted({"UID FETCH": b"* 1 FETCH (UID 1 FLAGS (a))\r\n{tag} OK\r\n"}, connections=1) as (
        server,
        mailbox,
    ):
        results = await asyncio.gather(*(mailbox.get_flags(FIRST) for _ in range(200)))
        assert [result.flags for result in results] == [("a",)] * 200
        assert server.connections == 1

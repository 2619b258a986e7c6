"""Messages that are opened again: their flags are read, and nothing else."""

import pytest

from service.adapters.imap.messages.opened import OpenedMessages, cost
from service.mail.errors import NotFound
from service.mail.model import HtmlMode, Message, MessageBody, Part
from tests.adapters.imap.conftest import Scripted, asked
from tests.adapters.imap.session.test_connection import FIRST

STRUCTURE = b'("text" "plain" ("charset" "utf-8") NIL NIL "7bit" 5 1 NIL NIL NIL NIL)'
ROW = (
    b"* 1 FETCH (UID 1 FLAGS (\\Seen) RFC822.SIZE 9 ENVELOPE"
    b' (NIL "s" NIL NIL NIL NIL NIL NIL NIL NIL) BODYSTRUCTURE %b BODY[1]<0> {5}\r\nhello)\r\n'
) % STRUCTURE
FLAGGED = b"* 1 FETCH (UID 1 FLAGS (\\Flagged) MODSEQ (12))\r\n"
DONE = b"{tag} OK done\r\n"


def is_of_texts(command: bytes) -> bool:
    return b"BODY.PEEK[1]" in command or b"ENVELOPE" in command


async def test_a_message_opened_again_costs_its_flags(scripted: Scripted) -> None:
    """R-IMAP-82: one round trip, with the flags and the version of now, and the same texts."""

    def answer(command: bytes) -> bytes:
        return (ROW if is_of_texts(command) else FLAGGED) + DONE

    async with scripted({"UID FETCH": answer}) as (server, mailbox):
        first = await mailbox.get_message(FIRST)
        server.commands.clear()
        before = server.round_trips
        again = await mailbox.get_message(FIRST)
        assert asked(server) == ["UID FETCH"]
        assert not any(map(is_of_texts, server.commands))
        assert server.round_trips - before == 1
        assert (first.flags, again.flags, again.version) == (("$seen",), ("$flagged",), "12")
        assert again.body == first.body
        assert again.body.text == "hello"
        await mailbox.get_message(FIRST, HtmlMode.NONE)
        assert any(map(is_of_texts, server.commands)), "the same message in another form is read"


async def test_a_message_that_is_gone_is_not_found_although_it_was_opened(scripted: Scripted) -> None:
    """R-IMAP-82."""
    answers = [ROW + DONE, ROW + DONE, DONE]
    async with scripted({"UID FETCH": lambda _: answers.pop(0)}) as (_, mailbox):
        await mailbox.get_message(FIRST)
        with pytest.raises(NotFound):
            await mailbox.get_message(FIRST)


def opened(octets: int) -> Message:
    part = Part(id="1", type="text/plain", size=octets, encoding="7bit", cid=None, charset=None)
    return Message(id="m", folder_id="f", structure=part, body=MessageBody(text="x" * octets))


def test_memory_of_opened_messages_is_bounded() -> None:
    """R-IMAP-82, R-OPS-20: the one opened least recently goes first, and a large one is not kept at all."""
    kept = OpenedMessages(20 * cost(opened(1000)))
    keys = [("account", b"INBOX", 1, uid, HtmlMode.SAFE) for uid in range(30)]
    for key in keys:
        kept.keep(key, opened(1000))
        assert kept.get(keys[0]) is not None
    assert [kept.get(key) is not None for key in keys].count(True) == 20
    assert kept.octets <= 20 * cost(opened(1000))
    kept.keep(keys[1], opened(1 << 20))
    assert kept.get(keys[1]) is None
    nothing = OpenedMessages(0)
    nothing.keep(keys[0], opened(1))
    assert nothing.get(keys[0]) is None

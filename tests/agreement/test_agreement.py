"""The same messages by IMAP, POP3 and Maildir say the same, but for what is listed with its reason."""

from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from tests.agreement.differences import REASONS, by_imap, by_pop3, found, reason_for, with_wire_ends
from tests.agreement.nasties import nasties
from tests.agreement.readings import read_everywhere
from tests.corpus import needs_public, own_mail, public_files
from tests.servers.dovecot import Dovecot

SEED = 16


def _nasties() -> list[bytes]:
    return [nasty.octets for nasty in nasties(200, SEED)]


CORPORA = {"own": own_mail, "nasties": _nasties, "public": public_files}
EVERY = pytest.mark.parametrize(
    "corpus",
    [pytest.param(make, id=name, marks=needs_public if name == "public" else ()) for name, make in CORPORA.items()],
)


@EVERY
async def test_three_protocols_say_the_same_of_a_message(
    dovecot: Dovecot, tmp_path: Path, corpus: Callable[[], Sequence[bytes]]
) -> None:
    """R-MIME-32, R-MIME-33, R-MIME-34, R-MIME-35: header, text, parts and octets, in the list and in the message."""
    messages = [message for message in corpus() if message]
    readings = await read_everywhere(dovecot, tmp_path, messages)
    assert [each.source for each in readings.maildir] == messages
    assert [each.source for each in readings.imap] == list(map(by_imap, messages))
    assert [each.source for each in readings.pop3] == list(map(by_pop3, messages))
    every = found(readings)
    assert [difference for difference in every if reason_for(difference) is None] == []
    differing = {difference.number for difference in every if difference.way == "imap"}
    for number, (file, reading, sent) in enumerate(zip(messages, readings.maildir, readings.imap, strict=True)):
        if b"\0" not in file and number not in differing:
            assert with_wire_ends(reading.message) == with_wire_ends(sent.message)


def test_nasty_messages_are_the_same_for_the_same_seed() -> None:
    assert nasties(50, SEED) == nasties(50, SEED)
    assert len({nasty.octets for nasty in nasties(200, SEED)}) == 200
    traits = {trait for nasty in nasties(200, SEED) for trait in nasty.name.split()}
    assert len(traits) > 100
    assert len(REASONS) < 10

"""Our own letters, each read as it was meant."""

import json
import re

import pytest

from service.adapters.shared.sandbox_worker import JOBS
from service.mail.mime.message import read_message
from service.mail.mime.structure import Entity, find, parse
from service.mail.mime.transfer.decoding import decode
from service.mail.model import HtmlMode, Message, Part
from tests.cases import known
from tests.corpus import LETTERS, WRITTEN
from tests.corpus.letter import Letter

EVERY = pytest.mark.parametrize("letter", LETTERS.values(), ids=LETTERS)
OF_OTHER_TESTS = {
    **dict.fromkeys((f"R-MIME-{number}" for number in range(23, 30)), "measured: text without end"),
    "R-MIME-01": "a corpus by every way of reading",
    "R-MIME-03": "what another program writes",
    **dict.fromkeys((f"R-MIME-{number}" for number in range(23, 30)), "values repeated without end"),
    **dict.fromkeys((f"R-MIME-{number}" for number in range(50, 55)), "reports, which have letters of their own"),
}


def read(letter: Letter, html: HtmlMode = HtmlMode.SAFE) -> Message:
    return read_message(letter.octets, id="m", folder_id="f", size=len(letter.octets), html=html)


def parts(part: Part) -> list[Part]:
    return [part, *(each for child in part.parts or () for each in parts(child))]


def decoded(letter: Letter, part: str) -> bytes:
    entity: Entity | None = find(parse(letter.octets), part)
    assert entity is not None
    return decode(letter.octets[entity.body_start : entity.stop], entity.part.encoding)


@EVERY
def test_a_letter_has_the_parts_and_octets_it_was_written_with(letter: Letter) -> None:
    """R-MIME-02, R-MIME-04, R-MIME-05, R-MIME-09, R-MIME-15, R-MIME-16, R-MIME-17, R-MIME-18, R-MIME-21."""
    found = parts(read(letter).structure)
    if letter.outline is not None:
        assert ", ".join(f"{part.id} {part.type}" for part in found) == letter.outline
    if letter.files is not None:
        assert tuple(part.name for part in found if part.name) == letter.files
    if letter.content is not None:
        part, octets = letter.content
        assert decoded(letter, part) == octets


@EVERY
def test_a_letter_says_what_was_written(letter: Letter) -> None:
    """R-MIME-06, R-MIME-07, R-MIME-08, R-MIME-10, R-MIME-11, R-MIME-19, R-MIME-20, R-MIME-22."""
    message = read(letter)
    if letter.subject is not None:
        assert message.subject == letter.subject
    if letter.senders is not None:
        assert tuple(sender.email for sender in message.from_) == letter.senders
    if letter.sent is not None:
        assert (message.sent_at.isoformat() if message.sent_at else "") == letter.sent
    if letter.text is not None:
        assert (message.body.text or "").split() == letter.text.split()
    assert set(letter.warnings) <= set(message.body.warnings)


@EVERY
def test_a_letter_is_shown_without_what_it_hides(letter: Letter) -> None:
    """R-MIME-12, R-MIME-13, R-MIME-14, R-MIME-15, R-MIME-16: and nothing of it is lost to who asks for the original."""
    shown = (read(letter).body.html or "").lower()
    assert [word for word in letter.hidden if word in shown] == []
    whole = read(letter, HtmlMode.ORIGINAL).body.html or ""
    assert letter.is_converted or whole.encode() in letter.octets


@EVERY
def test_a_letter_is_json_and_comes_out_of_a_cage_as_it_is(letter: Letter) -> None:
    """R-MIME-01: what is found in another process travels as JSON."""
    json.loads(read(letter).model_dump_json())
    for job in JOBS.values():
        assert job.load(job.dump(letter.octets)) == job.work(letter.octets)


@EVERY
def test_a_letter_that_was_cut_anywhere_is_read(letter: Letter) -> None:
    """R-MIME-01: a download that ended early."""
    for hundredths in range(0, 100, 7):
        source = letter.octets[: len(letter.octets) * hundredths // 100]
        json.loads(read_message(source, id="m", folder_id="f", size=len(source)).model_dump_json())


def test_there_is_a_letter_for_every_case_of_mail() -> None:
    """But for those that need more than a letter. No two have the same name, and all are from nobody."""
    assert len(LETTERS) == len(WRITTEN)
    cases = {case for level in ("must", "should") for case in known()[level] if case.startswith("R-MIME-")}
    assert {letter.case for letter in LETTERS.values()} == cases - OF_OTHER_TESTS.keys()
    for letter in LETTERS.values():
        hosts = re.findall(rb"@([\w-]+(?:\.[\w-]+)+)", letter.octets)
        assert {host for host in hosts if not host.endswith(b"example.org")} == set(), letter.name

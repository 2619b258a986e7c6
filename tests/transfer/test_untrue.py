"""Mail servers that lie, lose connections, or give one message for another: nothing is lost, and nothing stands still."""

import re
from collections.abc import Callable
from contextlib import AsyncExitStack

import pytest

from service.mail.errors import InvalidRequest
from service.transfer.burst import run_burst
from service.transfer.crossing import cross
from service.transfer.model import Failure, Job, Options, Reason, Report
from tests.adapters.pop3.conftest import Mailboxes
from tests.adapters.pop3.server import Pop3Server, Stored
from tests.servers.scripted import Answer, Close
from tests.transfer.box import Answered, Box, Held
from tests.transfer.test_pitfalls import MAIL, boxes, imported, mail

WORK = b'* LIST () "/" INBOX\r\n* LIST () "/" Work\r\n{tag} OK done\r\n'
ONLY_INBOX = b'* LIST () "/" INBOX\r\n{tag} OK done\r\n'
MOVE = Options(deletes_source=True)


def large(number: int) -> bytes:
    """One that is read alone: a burst of no time ends after it."""
    return mail(number) + b"x" * 300_000


async def by_bursts(old: Box, new: Box, options: Options) -> list[Report]:
    """As many bursts as it takes, each with the job of the last token."""
    job, reports = Job(options), list[Report]()
    async with old.opened("old") as source, new.opened("new") as destination:
        while not reports or (not reports[-1].is_done and len(reports) < 10):
            reports.append(await run_burst(source, destination, job, 0))
            job = Job.of(job.claims())
    assert reports[-1].is_done, reports
    return reports


def reasons(report: Report) -> list[str]:
    return [failure.reason for failure in report.failed]


def altered(box: Box, alter: Callable[[bytes, bytes], Answer]) -> dict[str, Answered]:
    """Answers to FETCH. ``alter`` is given the command and the usual answer."""
    return {"UID FETCH": lambda command: alter(command, box._fetch(command))}


@pytest.mark.parametrize(
    "poison", [b"* 3 FETCH (UID 3 BODY[] {99999999999999}\r\n", [Close()]], ids=["protocol", "connection"]
)
async def test_a_message_that_no_connection_survives_is_listed_and_the_rest_comes(poison: Answer) -> None:
    """Neither the folder is given up for it, nor each burst stopped by it."""
    old, new = boxes(*map(mail, range(5))), Box()
    old.answers = altered(
        old, lambda command, usual: poison if b"PEEK[]" in command and b"number 2\r\n" in usual else usual
    )
    job = Job(Options())
    report = await imported(old, new, job=job)
    assert (report.is_done, report.progress.copied, report.progress.left, reasons(report)) == (
        True, 4, 0, [Reason.UNREADABLE],
    )  # fmt: skip
    assert new.octets == [mail(number) for number in (0, 1, 3, 4)]


async def test_a_message_at_which_the_destination_hangs_up_is_listed_and_the_rest_comes() -> None:
    old, new = boxes(*map(mail, range(5))), Box()
    new.answers = {"APPEND": lambda command: [Close()] if b"number 2\r\n" in command else new._append(command)}
    report = await imported(old, new)
    assert (report.is_done, report.progress.copied, reasons(report)) == (True, 4, [Reason.REFUSED])
    assert new.octets == [mail(number) for number in (0, 1, 3, 4)]


async def test_a_destination_that_hangs_up_at_every_message_is_left_alone_for_some_time() -> None:
    """It is not the fault of the messages."""
    old, new = boxes(*map(mail, range(20))), Box()
    usual, new.answers = new._append, {"APPEND": [Close()]}
    job = Job(Options())
    report = await imported(old, new, job=job, bursts=3)
    assert (report.is_done, report.failed, report.retry_after is not None) == (False, (), True)
    new.answers = {"APPEND": usual}
    assert (await imported(old, new, job=Job.of(job.claims()))).progress.copied == 20


async def test_a_message_that_is_listed_and_not_given_is_told() -> None:
    """Neither its inventory, nor its octets: Exchange does so with broken ones. One that is gone is no failure."""
    old, new = boxes(*map(mail, range(6))), Box()

    def without(command: bytes, usual: bytes) -> bytes:
        row = rb"\* 3 FETCH .*?(?=\* 4 FETCH|\{tag\})" if b"PEEK[]" in command else rb"\* 2 FETCH .*?(?=\* 3 FETCH)"
        old.messages.pop(6, None)
        return re.sub(row, b"", usual, flags=re.DOTALL)

    old.answers = altered(old, without)
    job = Job(Options())
    report = await imported(old, new, job=job)
    assert (report.is_done, report.progress.copied, report.progress.left) == (True, 3, 0)
    assert reasons(report) == [Reason.UNREADABLE, Reason.UNREADABLE]
    job.progress.done.clear()
    assert (await imported(old, new, job=Job.of(job.claims()))).failed == ()


async def test_a_wrong_appenduid_deletes_nothing_on_either_side() -> None:
    """Neither the message that it names, nor the one whose copy it should be."""
    old, new = boxes(mail(1)), boxes(mail(7))
    new.answers = {"APPEND": lambda command: re.sub(rb"APPENDUID 5 \d+", b"APPENDUID 5 1", new._append(command))}
    report = await imported(old, new, MOVE)
    assert (new.octets, old.octets) == ([mail(7), mail(1)], [mail(1)])
    assert (report.deleted, reasons(report)) == (0, [Reason.NOT_VERIFIED])


async def test_one_copy_is_not_proof_of_two_messages() -> None:
    """A destination that keeps one of equal messages, and names that one again."""
    old, new = boxes(mail(1), mail(1), mail(2)), Box()

    def append(command: bytes) -> bytes:
        known = (uid for uid, held in new.messages.items() if held.octets in command)
        uid = next(known, None)
        return b"{tag} OK [APPENDUID 5 %d] done\r\n" % uid if uid else new._append(command)

    new.answers = {"APPEND": append}
    report = await imported(old, new, MOVE)
    assert sorted([*new.octets, *old.octets]) == sorted([mail(1), mail(1), mail(2)])
    assert (report.deleted, reasons(report)) == (2, [Reason.NOT_VERIFIED])


async def test_a_destination_that_cannot_delete_is_left_as_it_was() -> None:
    """Whether both are the same mailbox cannot be tried there, and what it has already stays as it is."""
    old, new = boxes(mail(1)), Box.of([Held(mail(1), rb"\Seen"), Held(mail(2))], capabilities=b"IMAP4rev1 LITERAL+")
    with pytest.raises(InvalidRequest, match="cannot be verified"):
        await imported(old, new, MOVE)
    assert (new.octets, old.octets) == ([mail(1), mail(2)], [mail(1)])


@pytest.mark.parametrize(
    "alter",
    [
        lambda octets: octets.replace(b"\r\n\r\n", b"\r\n"),
        lambda octets: octets.removesuffix(b"\r\n"),
        lambda octets: octets + b"\r\n",
        lambda octets: octets[:-3],
        lambda octets: octets.replace(b" ", b"  ", 1),
    ],
    ids=["no-empty-line", "no-last-line-end", "more-line-ends", "cut", "space"],
)
async def test_what_is_stored_otherwise_is_not_deleted_at_the_source(alter: Callable[[bytes], bytes]) -> None:
    old, new = boxes(mail(1)), Box(alter=alter)
    report = await imported(old, new, MOVE)
    assert (old.octets, report.deleted, reasons(report)) == ([mail(1)], 0, [Reason.NOT_VERIFIED])


async def test_a_message_whose_uid_gives_another_one_is_not_deleted() -> None:
    """Listed as one message, read as another: the copy is of the other."""
    old, new = boxes(*map(mail, range(3))), Box()
    old.answers = altered(
        old, lambda command, usual: usual.replace(mail(1), mail(0)) if b"PEEK[])" in command else usual
    )
    report = await imported(old, new, MOVE)
    assert (old.octets, report.deleted, reasons(report)) == ([mail(1)], 2, [Reason.NOT_VERIFIED])


async def test_a_message_that_changes_meanwhile_is_not_deleted() -> None:
    old, new = boxes(mail(1), mail(2)), Box()

    def append(command: bytes) -> bytes:
        old.messages[1] = Held(mail(1) + b"a line more\r\n")
        return new._append(command)

    new.answers = {"APPEND": append}
    report = await imported(old, new, MOVE)
    assert (old.octets, report.deleted, reasons(report)) == (
        [mail(1) + b"a line more\r\n"], 1, [Reason.NOT_DELETED],
    )  # fmt: skip


async def test_what_is_not_deleted_is_told_once_and_does_not_hold_up_the_next_bursts() -> None:
    old, new = boxes(*map(large, range(3))), Box(alter=lambda octets: b"X-Added: by the server\r\n" + octets)
    reports = await by_bursts(old, new, MOVE)
    told: list[Failure] = [failure for report in reports for failure in report.failed]
    assert len(reports) == len({failure.id for failure in told}) == len(told) == 3
    assert (len(new.messages), reports[-1].progress.copied) == (3, 3)


async def test_figures_are_of_all_bursts_also_if_the_source_gets_empty() -> None:
    old, new = boxes(*map(large, range(5))), boxes(large(0), large(3))
    reports = await by_bursts(old, new, MOVE)
    assert (reports[-1].progress.copied, reports[-1].progress.skipped, len(old.messages)) == (3, 2, 0)
    figures = [(report.progress.copied, report.progress.skipped) for report in reports]
    assert figures == sorted(figures)
    assert sum(report.deleted for report in reports) == 5


@pytest.mark.parametrize("loses", ["dates", "octets"])
async def test_a_destination_that_changes_all_it_stores_does_not_hold_up_the_next_bursts(loses: str) -> None:
    """What earlier bursts have handled is not read again by each, and not copied again."""
    old, new = boxes(*map(large, range(4))), Box()
    if loses == "dates":
        now = b'INTERNALDATE "28-Nov-2026 08:00:00 +0000"'
        new.answers = altered(new, lambda _, usual: re.sub(rb'INTERNALDATE "[^"]*"', now, usual))
    else:
        new.alter = lambda octets: octets.replace(b"xx", b"y")
    reports = await by_bursts(old, new, Options())
    assert (len(reports), len(new.messages)) == (4, 4)
    assert (reports[-1].progress.copied, reports[-1].progress.skipped) == (4, 0)


async def test_twins_of_which_one_was_handled_before_both_come_if_dates_are_lost() -> None:
    old, new = boxes(large(1), large(2), large(1)), Box()
    now = b'INTERNALDATE "28-Nov-2026 08:00:00 +0000"'
    new.answers = altered(new, lambda _, usual: re.sub(rb'INTERNALDATE "[^"]*"', now, usual))
    job = Job(Options())
    async with old.opened("old") as source, new.opened("new") as destination:
        await run_burst(source, destination, job, 0)
        await run_burst(source, destination, Job.of(job.claims()), 30)
    assert sorted(new.octets) == sorted(old.octets)


async def test_a_dry_run_with_delete_source_counts_what_is_there() -> None:
    old, new = boxes(*map(mail, range(5))), boxes(mail(3))
    report = await imported(old, new, Options(is_dry=True, deletes_source=True))
    assert (report.progress.skipped, report.progress.left, report.progress.octets) == (1, 4, 4 * len(mail(0)))


@pytest.mark.parametrize("refusal", [b"NO not here", b"NO [NOPERM] not here", b"NO [CANNOT] not here"])
async def test_a_folder_that_cannot_be_made_is_listed_and_the_others_come(refusal: bytes) -> None:
    old, new = boxes(*map(mail, range(2))), Box()
    old.answers = {"LIST": WORK}
    new.answers = {"CREATE": b"{tag} " + refusal + b"\r\n", "LIST": ONLY_INBOX}
    report = await imported(old, new)
    assert [(each.folder, each.id, each.reason) for each in report.failed] == [("Work", None, Reason.NO_FOLDER)]
    assert (report.is_done, len(new.messages)) == (True, 2)


async def test_a_folder_that_takes_nothing_does_not_get_all_messages() -> None:
    sent: list[bytes] = []

    def refuse(flags: bytes, octets: bytes) -> bytes:
        sent.append(octets)
        return b"NO [NOPERM] you may only read"

    old, new = boxes(*map(mail, range(450))), Box(refuse=refuse)
    report = await imported(old, new)
    assert (report.is_done, len(sent)) == (True, 200)
    assert (report.failed[-1].id, report.failed[-1].reason, report.progress.left) == (None, Reason.REFUSED, 250)


async def test_a_folder_that_is_removed_meanwhile_is_made_by_the_next_burst() -> None:
    made: list[bytes] = []
    lists: list[bytes] = []
    there, gone = b'* LIST () "/" Work\r\n{tag} OK done\r\n', b"{tag} OK done\r\n"

    def append(command: bytes) -> bytes:
        if not made:
            lists.append(gone)
            return b"{tag} NO [TRYCREATE] no such folder\r\n"
        return new._append(re.sub(rb'APPEND "?Work"?', b"APPEND INBOX", command))

    def create(command: bytes) -> bytes:
        made.append(command)
        lists.append(there)
        return b"{tag} OK done\r\n"

    old, new = boxes(mail(1)), Box()
    old.answers = {"LIST": there}
    new.answers = {"LIST": lambda _: lists[-1], "CREATE": create, "APPEND": append}
    lists.append(there)
    async with old.opened("old") as source:
        [work] = [folder.id for folder in await source.list_folders() if folder.name == "Work"]
    job = Job(Options((work,)))
    report = await imported(old, new, job=job)
    assert (report.is_done, report.failed) == (False, ())
    report = await imported(old, new, job=Job.of(job.claims()))
    assert (report.is_done, report.failed, new.octets, len(made)) == (True, (), [mail(1)], 1)


async def test_a_move_by_pop3_reads_ahead_while_it_lists_again() -> None:
    """More than one batch: the session of the reader is as new as the list has to be."""
    old, new = Pop3Server([Stored(f"u{number}", mail(number)) for number in range(450)]), Box()
    async with AsyncExitStack() as stack, new.opened("new") as destination:
        source = await Mailboxes(stack).open(old)
        report = await run_burst(source, destination, Job(MOVE), 60)
    assert (report.is_done, report.progress.copied, report.deleted, report.failed) == (True, 450, 450, ())
    assert (old.messages, len(new.messages)) == ([], 450)


async def test_of_single_messages_one_copy_is_not_proof_of_two_either() -> None:
    old, new = boxes(mail(1), mail(1)), Box()

    def append(command: bytes) -> bytes:
        return b"{tag} OK [APPENDUID 5 1] done\r\n" if new.messages else new._append(command)

    new.answers = {"APPEND": append}
    async with old.opened("old") as source, new.opened("new") as destination:
        inbox = (await source.get_folder("inbox")).id
        outcomes = await cross(source, await source.list_ids(inbox), destination, "inbox", moves=True)
    assert [outcome.error is None for outcome in outcomes] == [True, False]
    assert (old.octets, new.octets) == ([mail(1)], [mail(1)])


async def test_equal_message_ids_with_other_octets_all_come() -> None:
    old, new = boxes(MAIL % (1, 1), MAIL % (1, 22), MAIL % (1, 1), MAIL % (1, 333)), boxes(MAIL % (1, 4444))
    assert (await imported(old, new)).progress.copied == 4
    assert (await imported(old, new)).progress.copied == 0

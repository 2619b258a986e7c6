"""What users of other tools stumble over, each by its name."""

import asyncio

import pytest

from service.accounts.tokens import MAX_IMPORT, MAX_TOKEN, Sessions
from service.mail.errors import InvalidRequest, NotFound, OverQuota
from service.transfer.burst import run_burst
from service.transfer.model import Job, Options, Reason, Report, short
from tests.servers.scripted import Close
from tests.transfer.box import Box, Held

MAIL = b"From: ann@example.org\r\nMessage-ID: <%d@example.org>\r\nSubject: mail\r\n\r\nnumber %d\r\n"


def mail(number: int) -> bytes:
    return MAIL % (number, number)


def boxes(*octets: bytes, **more: object) -> Box:
    return Box.of([Held(each) for each in octets], **more)


async def imported(
    old: Box, new: Box, options: Options | None = None, bursts: int = 1, job: Job | None = None
) -> Report:
    """The report of the last burst."""
    job = job or Job(options or Options())
    async with old.opened("old") as source, new.opened("new") as destination:
        for _ in range(bursts):
            report = await run_burst(source, destination, job, 30)
    return report


async def test_messages_without_a_message_id_do_not_stay_behind_and_come_once() -> None:
    drafts = [b"Subject: draft\r\n\r\nfirst\r\n", b"Subject: draft\r\n\r\nother\r\n", b"\r\nno header\r\n", b"no end"]
    old, new = boxes(*drafts), Box()
    assert (await imported(old, new)).progress.copied == 4
    assert new.octets == drafts
    again = await imported(old, new)
    assert (again.progress.copied, again.progress.skipped) == (0, 4)


async def test_a_server_that_alters_headers_does_not_get_the_message_again() -> None:
    """Gmail adds fields to what is appended."""
    old, new = boxes(mail(1), mail(2)), Box(alter=lambda octets: b"X-Received: now\r\n" + octets)
    new_dates = {"date": b"01-Feb-2020 08:00:00 +0000"}
    await imported(old, new)
    for held in new.messages.values():
        vars(held).update(new_dates)
    assert (await imported(old, new)).progress.copied == 0


async def test_equal_messages_are_not_confused_and_not_merged() -> None:
    """The same octets twice stay two, and the same Message-ID, size and date with other words stays another one."""
    twins = [MAIL % (1, 1), MAIL % (1, 2), MAIL % (1, 1), MAIL % (1, 3)]
    old, new = boxes(*twins), boxes(MAIL % (1, 3), MAIL % (1, 1))
    report = await imported(old, new)
    assert (report.progress.copied, report.progress.skipped) == (2, 2)
    assert sorted(new.octets) == sorted(twins)
    assert (await imported(old, new)).progress.copied == 0


async def test_no_memory_of_earlier_runs_is_needed() -> None:
    """A tool's cache may be lost: the destination says what is there."""
    old, new = boxes(*map(mail, range(5))), boxes(*map(mail, range(3)))
    report = await imported(old, new)
    assert (report.progress.copied, report.progress.skipped) == (2, 3)
    assert sorted(new.octets) == sorted(old.octets)


async def test_a_destination_that_loses_dates_and_changes_line_ends_gets_nothing_twice() -> None:
    old, new = boxes(*map(mail, range(3))), Box(alter=lambda octets: octets.replace(b"\r\n", b"\n"))
    await imported(old, new)
    for held in new.messages.values():
        held.date = b"28-Nov-2026 08:00:00 +0000"
    assert (await imported(old, new)).progress.copied == 0


async def test_a_full_mailbox_ends_the_burst_and_the_next_goes_on() -> None:
    refused: list[bytes] = []

    def refuse(flags: bytes, octets: bytes) -> bytes | None:
        if len(new.messages) >= 2 and not refused:
            refused.append(octets)
            return b"NO [OVERQUOTA] full"
        return None

    old, new = boxes(*map(mail, range(5))), Box(refuse=refuse)
    job = Job(Options())
    with pytest.raises(OverQuota):
        await imported(old, new, job=job)
    assert new.octets == old.octets[:2]
    report = await imported(old, new, job=Job.of(job.claims()))
    assert report.is_done
    assert (report.progress.copied, report.progress.skipped) == (5, 0)
    assert sorted(new.octets) == sorted(old.octets)


async def test_flags_that_the_folder_does_not_keep_are_dropped_and_told() -> None:
    held = [Held(mail(1), rb"\Seen \Recent $MDNSent work \Deleted"), Held(mail(2), rb"\Flagged \FORWARDED Junk")]
    old, new = Box.of(held), Box(permanent=rb"\Seen \Flagged \Deleted \Answered")
    report = await imported(old, new)
    assert [set(each.flags.split()) for each in new.appended] == [{rb"\Seen"}, {rb"\Flagged"}]
    assert set(report.dropped) == {"$mdnsent", "work", "\\forwarded", "junk"}


async def test_deleted_and_recent_are_never_sent() -> None:
    """NO [CANNOT] APPEND Contains Deleted flag (Yahoo)."""

    def refuse(flags: bytes, octets: bytes) -> bytes | None:
        return b"NO [CANNOT] APPEND Contains Deleted flag" if b"Deleted" in flags or b"Recent" in flags else None

    old, new = Box.of([Held(mail(1), rb"\Deleted \Seen \Recent")]), Box(refuse=refuse)
    report = await imported(old, new)
    assert (report.progress.copied, new.appended[0].flags, report.dropped) == (1, rb"\Seen", ())


async def test_a_refusal_because_of_a_keyword_costs_the_keyword_not_the_message() -> None:
    """BAD Invalid system flag, although PERMANENTFLAGS allows all."""

    def refuse(flags: bytes, octets: bytes) -> bytes | None:
        return b"BAD Invalid flag" if b"$" in flags else None

    old, new = Box.of([Held(mail(1), rb"\Seen $Odd"), Held(mail(2), rb"\Seen plain")]), Box(refuse=refuse)
    report = await imported(old, new)
    assert sorted(each.flags for each in new.appended) == [rb"\Seen", rb"\Seen plain"]
    assert report.dropped == ("$odd",)
    assert report.failed == ()


async def test_each_message_keeps_its_date_and_an_invalid_date_field_is_untouched() -> None:
    odd = b"Date: the day before yesterday\r\nMessage-ID: <odd@x>\r\n\r\nx\r\n"
    old, new = Box.of([Held(odd, b"", b"17-Jul-1996 02:44:25 -0700")]), Box()
    await imported(old, new)
    assert [(each.octets, each.date) for each in new.appended] == [(odd, b"17-Jul-1996 09:44:25 +0000")]


async def test_nul_is_not_altered_but_listed() -> None:
    old, new = boxes(mail(1), mail(2) + b"a\0b\r\n", mail(3)), Box()
    report = await imported(old, new)
    assert new.octets == [mail(1), mail(3)]
    assert [(each.reason, bool(each.id)) for each in report.failed] == [(Reason.NUL, True)]


async def test_eight_bit_headers_and_broken_mail_come_as_they_are() -> None:
    odd = [b"Subject: \xc3\xbc \xff\r\n\r\n\x80\r\n", b"a\rb\r\n\r\nc\rd", b"\xff" * 3000, b".\r\n"]
    old, new = boxes(*odd), Box()
    assert (await imported(old, new)).failed == ()
    assert new.octets == odd


async def test_what_is_too_large_for_the_destination_is_listed_without_being_sent() -> None:
    old, new = boxes(mail(1), mail(2) + b"x" * 5000), Box(capabilities=b"IMAP4rev1 UIDPLUS LITERAL+ APPENDLIMIT=4000")
    report = await imported(old, new)
    assert new.octets == [mail(1)]
    assert [each.reason for each in report.failed] == [Reason.TOO_LARGE]


async def test_what_the_destination_refuses_is_listed_and_the_rest_comes() -> None:
    def refuse(flags: bytes, octets: bytes) -> bytes | None:
        return b"NO I do not like this" if b"number 1" in octets else None

    old, new = boxes(*map(mail, range(3))), Box(refuse=refuse)
    report = await imported(old, new)
    assert new.octets == [mail(0), mail(2)]
    assert [(each.folder, each.reason) for each in report.failed] == [("INBOX", Reason.REFUSED)]
    assert report.is_done


async def test_a_refused_message_is_listed_once_and_not_tried_again_by_the_same_import() -> None:
    tried: list[bytes] = []

    def refuse(flags: bytes, octets: bytes) -> bytes | None:
        tried.append(octets)
        return b"NO never"

    old, new = boxes(mail(1)), Box(refuse=refuse)
    job = Job(Options())
    assert len((await imported(old, new, job=job)).failed) == 1
    job.progress.done.clear()
    count = len(tried)
    assert (await imported(old, new, job=Job.of(job.claims()))).failed == ()
    assert len(tried) == count


async def test_the_stated_backoff_of_a_throttled_source_is_obeyed_and_told() -> None:
    """Microsoft 365."""
    throttled = b"{tag} BAD Request is throttled. Suggested Backoff Time: 299961 milliseconds\r\n"
    old = boxes(mail(1))
    old.answers = {"UID FETCH": throttled}
    report = await imported(old, Box())
    assert (report.is_done, report.retry_after, report.progress.copied) == (False, 300, 0)


@pytest.mark.parametrize(
    ("answer", "seconds"),
    [
        (b"NO [LIMIT] slow down", 30),
        (b"NO [THROTTLED] wait", 60),
        (b"NO [OVERQUOTA] Account exceeded command or bandwidth limits. (Failure)", 60),
        (b"NO Request is throttled. Suggested Backoff Time: 12000 milliseconds", 12),
    ],
)
async def test_a_throttled_destination_gets_its_pause_and_the_import_goes_on_after_it(
    answer: bytes, seconds: int
) -> None:
    """Gmail says OVERQUOTA when it only means its rate."""
    told: list[bytes] = []

    def refuse(flags: bytes, octets: bytes) -> bytes | None:
        told.append(octets)
        return answer if len(told) == 2 else None

    old, new = boxes(*map(mail, range(4))), Box(refuse=refuse)
    job = Job(Options())
    report = await imported(old, new, job=job)
    assert (report.is_done, report.retry_after, report.progress.copied, report.progress.left) == (False, seconds, 1, 3)
    assert (await imported(old, new, job=Job.of(job.claims()))).is_done
    assert new.octets == old.octets


async def test_a_dry_run_counts_and_copies_nothing() -> None:
    old, new = boxes(*map(mail, range(5))), boxes(mail(3))
    report = await imported(old, new, Options(is_dry=True))
    assert (report.is_done, report.progress.copied, report.progress.skipped, report.progress.left) == (True, 0, 1, 4)
    assert report.progress.octets == sum(len(mail(number)) for number in (0, 1, 2, 4))
    assert len(new.messages) == 1


async def test_the_source_keeps_everything_unless_it_is_asked_to_delete() -> None:
    old, new = boxes(*map(mail, range(3))), Box()
    await imported(old, new)
    assert len(old.messages) == 3


async def test_only_what_is_verified_is_deleted_at_the_source() -> None:
    """A destination that stores something else than it was given."""
    old, new = boxes(*map(mail, range(4))), Box(alter=lambda octets: octets.replace(b"number 2", b"number X"))
    report = await imported(old, new, Options(deletes_source=True))
    assert old.octets == [mail(2)]
    assert report.deleted == 3
    assert [each.reason for each in report.failed] == [Reason.NOT_VERIFIED]


async def test_nothing_is_deleted_without_appenduid_unless_the_copy_is_found() -> None:
    old, new = boxes(*map(mail, range(3))), Box(capabilities=b"IMAP4rev1 LITERAL+")
    new.answers = {"UID SEARCH": b"* SEARCH\r\n{tag} OK done\r\n"}  # and one that does not find it
    with pytest.raises(InvalidRequest, match="cannot be verified"):
        await imported(old, new, Options(deletes_source=True))
    assert len(old.messages) == 3


async def test_equal_messages_are_deleted_only_when_all_have_their_copies() -> None:
    old, new = boxes(mail(1), mail(1), mail(2), mail(1)), boxes(mail(1))
    report = await imported(old, new, Options(deletes_source=True))
    assert report.deleted == 4
    assert old.octets == []
    assert sorted(new.octets) == sorted([mail(1), mail(1), mail(1), mail(2)])


async def test_a_lost_answer_to_append_makes_no_second_copy() -> None:
    old, new = boxes(*map(mail, range(3))), Box()
    usual = new.imap().answers["APPEND"]
    lost: list[bytes] = []

    def append(command: bytes) -> object:
        answer = usual(command)  # type: ignore[operator]
        if not lost:
            lost.append(command)
            return [Close()]
        return answer

    new.answers = {"APPEND": append}  # type: ignore[dict-item]
    report = await imported(old, new, bursts=2)
    assert report.is_done
    assert sorted(new.octets) == sorted(old.octets)


async def test_what_another_process_appends_meanwhile_is_not_there_twice() -> None:
    """One that was killed, and whose last command the server carries out late."""
    old, new = boxes(*map(mail, range(3))), Box()

    def refuse(flags: bytes, octets: bytes) -> None:
        if octets == mail(1) and len(new.messages) == 1:
            new.messages[50] = Held(mail(1))

    new.refuse = refuse
    await imported(old, new)
    assert sorted(new.octets) == sorted(old.octets)


async def test_of_two_imports_at_once_each_message_stays_once() -> None:
    """Two replicas: the client sent the request again."""
    old, new = boxes(*map(mail, range(3))), Box()
    async with old.opened("old") as source, new.opened("new") as one, new.opened("new") as other:
        await asyncio.gather(*(run_burst(source, each, Job(Options()), 30) for each in (one, other)))
    assert sorted(new.octets) == sorted(old.octets)


async def test_the_job_is_all_that_the_next_burst_needs() -> None:
    job = Job(Options(("inbox",), "inbox", None, False, True))
    job.progress.done["x"] = (1, 2, 3)
    job.progress.failed["y"] = None
    assert Job.of(job.claims()) == job
    older = {name: value for name, value in job.claims().items() if name not in {"gone", "reached"}}
    assert Job.of(older) == job


async def test_the_token_of_a_job_is_not_too_long_however_many_folders_and_failures_there_are() -> None:
    """Or the import could not go on."""
    folders = tuple(f"f_{number:04}{'x' * 2990}" for number in range(1000))
    job = Job(Options((*folders, "inbox")))
    for number in range(9000):
        job.progress.failed[short(f"m{number}")] = None
        job.progress.suspects[short(f"m{number}")] = 2
        job.progress.done[short(f"f{number}")] = (10_000, 10_000, 0)
    sessions = Sessions([bytes(32)], 3600)
    token = sessions.seal_import("a", "s" * MAX_TOKEN, job.claims(), is_own=True)
    assert len(token) <= MAX_IMPORT
    again = Job.of(sessions.open_import(token, "a").job)
    old, new = boxes(mail(1)), Box()
    with pytest.raises(NotFound):  # none of the long ones exists
        await imported(old, new, job=again)
    again.options = Options(again.options.folders[-1:] if again.options.folders else None)
    assert (await imported(old, new, job=again)).progress.copied == 1

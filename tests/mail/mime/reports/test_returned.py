"""What comes back for mail that was sent."""

import logging
from base64 import encodebytes

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.mail.mime.message import read_message
from service.mail.mime.reports.notices import MAX_DIAGNOSTIC
from service.mail.model import Message, Report, ReportRecipient
from tests.mail.mime.reports.letters import BY_NAME, LETTERS, POSTFIX, Returned, wire


def read(octets: bytes) -> Message:
    return read_message(octets, id="m", folder_id="f", size=len(octets))


@pytest.mark.parametrize("letter", LETTERS, ids=lambda letter: letter.name)
def test_a_report_says_what_happened_to_whom(letter: Returned) -> None:
    """R-MIME-50, R-MIME-51: by the fields for machines if there are any, else by the words."""
    assert read(letter.octets).report == letter.report


@pytest.mark.parametrize("letter", LETTERS, ids=lambda letter: letter.name)
def test_line_ends_do_not_matter(letter: Returned) -> None:
    """R-MIME-50, R-MIME-51."""
    assert read(letter.octets.replace(b"\r\n", b"\n")).report == letter.report


def test_a_bounce_that_was_forwarded_is_no_bounce() -> None:
    """R-MIME-50: neither attached whole, nor its parts attached to another letter."""
    whole = wire(
        'From: ben@example.net\nSubject: Fwd: look\nContent-Type: multipart/mixed; boundary="c"\n\n--c\n\nLook!\n--c\n'
    )
    attached = b"Content-Type: message/rfc822\r\n\r\n" + POSTFIX.octets + b"\r\n--c--\r\n"
    parts = POSTFIX.octets.partition(b"--b\r\n")[2].replace(b"--b", b"--c")
    assert read(whole + attached).report is None
    assert read(whole + parts).report is None


def test_a_bounce_within_what_a_list_added_is_one() -> None:
    """R-MIME-50."""
    head, _, body = POSTFIX.octets.partition(b"MIME-Version")
    octets = head + wire('Content-Type: multipart/mixed; boundary="c"\n\n--c\nMIME-Version') + body
    assert read(octets + wire("--c\n\nThe footer of a list\n--c--\n")).report == POSTFIX.report


def test_a_delivery_status_is_read_although_the_multipart_is_another() -> None:
    """R-MIME-50: if a mail server sent it."""
    octets = POSTFIX.octets.replace(b"multipart/report; report-type=delivery-status", b"multipart/mixed")
    assert read(octets).report == POSTFIX.report


@pytest.mark.parametrize("kind", ["feedback-report", "tlsrpt"])
def test_other_reports_are_none(kind: str) -> None:
    """R-MIME-50: such as complaints (RFC 5965)."""
    octets = wire(
        f"From: fbl@example.net\nSubject: A complaint\nContent-Type: multipart/report; report-type={kind}; boundary=b\n\n--b\n\n"
        f"Somebody complains.\n--b\nContent-Type: message/{kind}\n\nFeedback-Type: abuse\n--b--\n"
    )
    assert read(octets).report is None


def _with_recipients(fields: str) -> Report | None:
    octets = wire(
        "From: postmaster@example.net\nSubject: failure notice\nContent-Type: multipart/report; boundary=b\n\n--b\n\nNo.\n"
        f"--b\nContent-Type: message/delivery-status\n\nReporting-MTA: dns; x\n\n{fields}\n--b--\n"
    )
    return read(octets).report


def test_addresses_that_are_not_of_mail_are_passed_over() -> None:
    """R-MIME-50: the one of mail is taken."""
    report = _with_recipients(
        "Original-Recipient: x-unix; |/usr/bin/vacation\nFinal-Recipient: rfc822; ben@example.net\nAction: failed\n\n"
        "Final-Recipient: x400; /c=us/s=ben\nAction: failed\n\nFinal-Recipient: rfc822;\nAction: failed\n\n"
        "Final-Recipient: rfc822; ben\nAction: failed"
    )
    assert report is not None
    assert [each.email for each in report.recipients] == ["ben@example.net", "ben"]


def test_what_servers_say_is_one_clean_short_line() -> None:
    """R-MIME-50."""
    report = _with_recipients(
        "Final-Recipient: rfc822; ben@example.net\nAction: failed\nStatus: 5.1.1 and 9.9.9\n"
        f"Diagnostic-Code: smtp; 550 \x07a\u202eb =?utf-8?q?gr=C3=BCn?= {'x' * 20_000}"
    )
    assert report is not None
    [one] = report.recipients
    assert one.status == "5.1.1"
    assert (one.diagnostic or "").startswith("550 ab grün xxx")
    assert len(one.diagnostic or "") <= MAX_DIAGNOSTIC


def test_a_hundred_thousand_recipients_cost_little() -> None:
    """R-MIME-52: the first are read."""
    report = _with_recipients("Final-Recipient: rfc822; ben@example.net\nAction: failed\n\n" * 100_000)
    assert report is not None
    assert 500 < len(report.recipients) <= 1000


def test_the_library_logs_nothing(caplog: pytest.LogCaptureFixture) -> None:
    """R-MIME-52: it would log what it fails at, and so addresses."""
    with caplog.at_level(logging.DEBUG):
        assert read(BY_NAME["qmail"].octets).report is not None
    assert not caplog.records


def test_the_library_gets_neither_header_nor_line_without_end() -> None:
    """R-MIME-52: what is odd about a header costs it nothing: those it knows of, it gets clean."""
    head = "From: MAILER-DAEMON@yale.edu, \x00<>\nX-Mailer: <SMTP32 v\x00\ud800\nSubject: failure notice\n\n".encode(
        errors="replace"
    )
    octets = head + wire("Hi. This is the qmail-send program.\n\n<ben@example.net>:\nNo.\n<" + "a" * 100_000 + "\n")
    assert read(octets).report == Report(
        kind="delivery", recipients=(ReportRecipient(email="ben@example.net", action="failed"),)
    )


@pytest.mark.parametrize("name", ["qmail", "exim-plain", "old-exchange", "a-warning"])
def test_an_odd_bounce_is_read_from_a_multipart_too(name: str) -> None:
    """R-MIME-51: and in base64."""
    letter = BY_NAME[name]
    head, _, body = letter.octets.partition(b"\r\n\r\n")
    kind = b'\r\nContent-Type: multipart/mixed; boundary="b"\r\n\r\n--b\r\nContent-Transfer-Encoding: base64\r\n\r\n'
    octets = head + kind + encodebytes(body) + b"\r\n--b\r\nContent-Type: image/png\r\n\r\n\r\n--b--\r\n"
    assert read(octets).report == letter.report


_LINES = st.lists(
    st.sampled_from(
        [b"Final-Recipient: rfc822; ", b"ben@example.net", b"\r\n", b"\n", b"\n\n", b"Action: ", b"failed", b"Status: 5.1.1", b";", b"<",
         b">", b"(", b")", b"\\x{", b"F6}", b"Disposition: ", b"displayed", b"--b\n", b"Content-Type: message/delivery-status\n\n",
         b"Content-Type: message/disposition-notification\n\n", b"\0", b"\xff", b"Message-ID: <a@b>", b":"]
    )
)  # fmt: skip


@given(
    _LINES,
    st.sampled_from([b"Subject: failure notice\n", b"From: mailer-daemon@yahoo.com\n", b"X-Failed-Recipients: "]),
)
def test_any_octets_make_a_report_or_none(pieces: list[bytes], head: bytes) -> None:
    """R-MIME-52: and nothing that breaks a line."""
    octets = head + b"Content-Type: multipart/report; boundary=b\n\n--b\n" + b"".join(pieces)
    report = read(octets).report
    for one in report.recipients if report else ():
        assert one.email
        assert one.action
        assert all(text.isprintable() for text in (one.email, one.action, one.diagnostic or ""))

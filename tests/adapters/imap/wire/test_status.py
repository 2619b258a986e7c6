"""Status responses: where a code ends, and which error a refusal is."""

import time

import pytest

from service.adapters.imap.wire.status import (
    ConnectionLimitReached,
    LoginDeferred,
    error_from,
    login_error_from,
    read_status,
)
from service.mail.errors import (
    InUse,
    LoginRefused,
    MailError,
    NotFound,
    NotPermitted,
    OverQuota,
    TooManyRequests,
    UpstreamError,
    UpstreamUnavailable,
)


@pytest.mark.parametrize(
    ("line", "code", "argument", "text"),
    [
        (rb"OK [PERMANENTFLAGS (\Seen Mail-[Box]/Bin [x] \*)] limited", "PERMANENTFLAGS", rb"(\Seen Mail-[Box]/Bin [x] \*)", b"limited"),
        (rb'OK [PERMANENTFLAGS (\Seen 5"-[Disk] \*)] limited', "PERMANENTFLAGS", rb'(\Seen 5"-[Disk] \*)', b"limited"),
        (b'NO [BADCHARSET ("a]b" UTF-8)] no such charset', "BADCHARSET", b'("a]b" UTF-8)', b"no such charset"),
        (b'NO [NEWNAME "old]" "new \\"]"] renamed', "NEWNAME", b'"old]" "new \\"]"', b"renamed"),
        (b"OK [UIDVALIDITY 7] [valid]", "UIDVALIDITY", b"7", b"[valid]"),
        (b"OK [read-write] done", "READ-WRITE", b"", b"done"),
        (b"OK [COPYUID 1 2:3 4:5]done", "COPYUID", b"1 2:3 4:5", b"done"),
        (b'NO [REFERRAL imap://host/"] moved', "REFERRAL", b'imap://host/"', b"moved"),
        (b"NO [OPEN (never closed", "", b"", b"[OPEN (never closed"),
        (b"NO [] x", "", b"", b"[] x"),
        (b"OK", "", b"", b""),
    ],
)  # fmt: skip
def test_a_code_ends_at_its_own_bracket(line: bytes, code: str, argument: bytes, text: bytes) -> None:
    """R-IMAP-42: brackets in flags, in strings and in lists; a quote that is never closed."""
    status = read_status(line)
    assert status is not None
    assert status[1:] == (code, argument, text)


@pytest.mark.parametrize("piece", [b"(", b'"', b'("', b'"\\', b"()", b'"x"', b") "])
def test_a_code_without_end_costs_linear_time(piece: bytes) -> None:
    """R-IMAP-42: a line of a megabyte; quadratic work would take minutes."""
    began = time.process_time()
    status = read_status(b"NO [X (" + piece * (1_000_000 // len(piece)))
    assert status is not None
    assert status.code == ""
    assert time.process_time() - began < 10


TEMPORARY: list[tuple[bytes, type[MailError]]] = [
    (b"NO [ALERT] Too many simultaneous connections. (Failure)", ConnectionLimitReached),
    (b"NO [LIMIT] Not now", ConnectionLimitReached),
    (b"NO [UNAVAILABLE] Maximum number of connections from user+IP exceeded (mail_max_userip_connections=9)", ConnectionLimitReached),
    (b"BYE Maximum connection limit reached", ConnectionLimitReached),
    (b"NO [OVERQUOTA] Account exceeded command or bandwidth limits. (Failure)", TooManyRequests),
    (b"NO Rate limit hit.", TooManyRequests), (b"NO Too many login attempts", TooManyRequests),
    (b"BAD Request is throttled. Suggested Backoff Time: 1500 milliseconds", TooManyRequests),
    (b"NO [INUSE] Mailbox in use", InUse), (b"NO Mailbox is locked by another session", InUse),
    (b"NO Server Unavailable. 15", LoginDeferred), (b"NO System busy!", LoginDeferred),
    (b"NO [UNAVAILABLE] Not now", LoginDeferred), (b"NO [TEMPFAIL] LOGIN failure on server", LoginDeferred),
    (b"BAD [UNAVAILABLE] Service temporarily unavailable", LoginDeferred),
    (b"NO Temporary authentication failure.", LoginDeferred), (b"NO Please try again later.", LoginDeferred),
    (b"BYE going down", LoginDeferred),
]  # fmt: skip


@pytest.mark.parametrize(("line", "error"), TEMPORARY)
def test_a_login_refused_for_now_is_not_a_wrong_password(line: bytes, error: type[MailError]) -> None:
    """R-IMAP-43: by code or by text alone; each has a time to come back and shows none of the server's words."""
    status = read_status(line)
    assert status is not None
    caught = login_error_from(status)
    assert type(caught) is error
    assert caught.retry_after
    assert caught.detail == error.default


@pytest.mark.parametrize(
    ("line", "error"),
    [
        (b"NO LOGIN failed.", LoginRefused), (b"NO [ALERT] Invalid credentials (Failure)", LoginRefused),
        (b"NO [AUTHENTICATIONFAILED] Wrong password, try again later", LoginRefused),
        (b"NO Incorrect password, please try again", LoginRefused),
        (b"NO [ALERT] Application-specific password required", LoginRefused),
        (b"NO [AUTHORIZATIONFAILED] x", NotPermitted), (b"NO [SERVERBUG] x", UpstreamError),
    ],
)  # fmt: skip
def test_a_wrong_password_is_not_taken_as_temporary(line: bytes, error: type[MailError]) -> None:
    """R-IMAP-43: a code that names the credentials decides, and an invitation to try again is none to wait."""
    status = read_status(line)
    assert status is not None
    assert type(login_error_from(status)) is error


def test_a_full_mailbox_is_no_limit_of_commands() -> None:
    """R-IMAP-43: the same code for two things; and what a user chose is quoted in a text."""
    full = read_status(b"NO [OVERQUOTA] Quota exceeded (mailbox for user is full)")
    quoted = read_status(b'NO "try again later" does not exist')
    assert full is not None
    assert quoted is not None
    assert type(error_from(full)) is OverQuota
    assert type(error_from(quoted)) is UpstreamError


def test_a_stated_time_is_rounded_up() -> None:
    """R-IMAP-44: Exchange states milliseconds."""
    status = read_status(b"BAD Request is throttled. Suggested Backoff Time: 178755 milliseconds")
    assert status is not None
    assert error_from(status).retry_after == 179


def test_a_lost_mailbox_is_unavailable() -> None:
    """R-IMAP-44."""
    status = read_status(b"BAD User is authenticated but not connected.")
    assert status is not None
    assert type(error_from(status)) is UpstreamUnavailable


@pytest.mark.parametrize(
    ("line", "error"),
    [
        (b"NO Permission denied", NotPermitted),
        (b"NO Access is denied.", NotPermitted),
        (b"NO User lacks access rights", NotPermitted),
        (b"NO Insufficient rights", NotPermitted),
        (b"NO Mailbox does not exist, or must be subscribed to.", NotFound),
        (b"NO Mailbox doesn't exist: Work", NotFound),
        (b"NO No such mailbox", NotFound),
        (b"NO Over quota", OverQuota),
        (b"NO You exceed your quota", OverQuota),
        (b'NO Cannot open "permission denied"', UpstreamError),
        (b"NO [X-CODE] Permission denied", UpstreamError),
        (b"BAD Permission denied", UpstreamError),
        (b"NO There are no rights or wrongs here", UpstreamError),
        (b"NO no", UpstreamError),
    ],
)
def test_a_refusal_without_a_code_means_what_it_says(line: bytes, error: type[MailError]) -> None:
    """R-IMAP-60: to any command; before login nothing is read into words."""
    status = read_status(line)
    assert status is not None
    assert type(error_from(status)) is error
    if error is NotPermitted:
        assert type(login_error_from(status)) is LoginRefused


@pytest.mark.parametrize("text", [b"no " * 300_000, b"no rights " * 100_000, b'"' * 900_000, b"over " * 200_000])
def test_long_words_cost_little(text: bytes) -> None:
    """R-IMAP-60."""
    status = read_status(b"NO " + text)
    assert status is not None
    began = time.process_time()
    error_from(status)
    assert time.process_time() - began < 0.1

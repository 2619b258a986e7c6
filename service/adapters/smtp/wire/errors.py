"""The errors that refusals mean (RFC 5321, 4.2; RFC 3463; RFC 4954, 6). Before login they have none of the server's
text."""

from service.adapters.shared.refusals import Reason, temporary_refusal
from service.adapters.smtp.wire.replies import GOODBYE, PROTOCOL, Reply
from service.mail.cleaning import MAX_SERVER_TEXT
from service.mail.errors import (
    LoginRefused,
    MailError,
    MessageRefused,
    RefusedRecipient,
    TooLarge,
    TooManyRequests,
    UpstreamError,
    UpstreamProtocol,
    UpstreamTls,
    UpstreamUnavailable,
)
from service.mail.submission.submitter import LOST

LATER_SECONDS = 60
_TOO_LARGE = {"5.3.4", "5.2.3"}
_WRONG_CREDENTIALS = "5.7.8"
_NOT_UNDERSTOOD = range(500, 505)
_LIMITED = {Reason.CONNECTIONS, Reason.THROTTLED}


def message_error_from(reply: Reply, limit: int | None = None) -> MailError:
    """The error for a refusal of the sender, of DATA, or of the message. ``limit`` is what the server announced as
    SIZE."""
    if reply.is_temporary:
        return temporary_error_from(reply)
    if reply.code == 552 and (reply.enhanced is None or reply.enhanced in _TOO_LARGE):
        return too_large(limit)
    if reply.code < 400:
        return UpstreamProtocol("The mail server's answers are out of order.", protocol=PROTOCOL)
    return MessageRefused(_said(reply), protocol=PROTOCOL, code=reply.status)


def temporary_error_from(reply: Reply) -> MailError:
    """The error for a refusal that may be different later (4xx), in a session that is signed in."""
    refused = temporary_refusal(reply.text)
    if refused is not None and refused.reason in _LIMITED:
        detail = f"The mail server limits what is sent: {reply.status} {reply.text}"[:MAX_SERVER_TEXT]
        return TooManyRequests(detail, retry_after=refused.retry_after)
    seconds = refused.retry_after if refused else LATER_SECONDS
    return UpstreamUnavailable(_said(reply), protocol=PROTOCOL, code=reply.status, retry_after=seconds)


def greeting_error_from(reply: Reply) -> MailError:
    """The error for a greeting, or an answer to EHLO, that is a refusal."""
    if reply.is_temporary:
        return _busy(reply)
    if reply.code < 400:
        return UpstreamProtocol("This is not an SMTP server.", protocol=PROTOCOL)
    return UpstreamError("The mail server refuses the connection.", protocol=PROTOCOL, code=reply.status)


def login_error_from(reply: Reply, *, is_secure: bool) -> MailError:
    """The error for a refused login. 535, 530 and other refusals for good, except those of syntax, mean the
    credentials, unless the text says that it is temporary."""
    refused = temporary_refusal(b" ".join(reply.lines[:8]))
    if refused is not None and refused.reason in _LIMITED:
        return TooManyRequests("The mail server wants fewer logins.", retry_after=refused.retry_after)
    if reply.is_temporary or (refused is not None and reply.enhanced != _WRONG_CREDENTIALS):
        return _busy(reply, refused.retry_after if refused else LATER_SECONDS)
    if reply.code == 538 or (reply.code == 530 and not is_secure and b"TLS" in b" ".join(reply.lines).upper()):
        return UpstreamTls("The mail server accepts no login without TLS.", protocol=PROTOCOL)
    if reply.code in _NOT_UNDERSTOOD:
        return UpstreamError("The mail server does not understand the login.", protocol=PROTOCOL, code=reply.status)
    if reply.code < 400:
        return UpstreamProtocol("The mail server's answers are out of order.", protocol=PROTOCOL)
    if reply.code == 534:  # RFC 4954, 6: a stronger mechanism is needed. Gmail wants a password for applications
        return LoginRefused("The mail server wants another way of signing in, such as a password for this application.")
    return LoginRefused()


def goodbye_error_from(reply: Reply | None, *, is_signed_in: bool) -> MailError:
    """The error for a connection that the server ends, with 421 or without."""
    if reply is None:
        detail = "The mail server closed the connection."
        return UpstreamUnavailable(detail, protocol=PROTOCOL, retry_after=LATER_SECONDS)
    return temporary_error_from(reply) if is_signed_in else _busy(reply)


def refused_recipient(email: str, reply: Reply) -> RefusedRecipient:
    return RefusedRecipient(email, reply.status, reply.text)


def too_large(limit: int | None) -> TooLarge:
    """The error for a message above the server's limit, which is named if it is known."""
    if limit is None:
        return TooLarge("The message is larger than the mail server accepts.")
    return TooLarge(f"The message is larger than the {limit} octets that the mail server accepts.")


def lost(error: MailError | None) -> UpstreamError:
    """The error if the answer to the end of the message never came, or cannot be read."""
    why = f"{error.detail} " if error else ""
    detail = f"{why}Whether the message was sent is not known. Look for it in Sent, or ask a recipient."
    return UpstreamError(detail, protocol=PROTOCOL, code=LOST)


def insecure(detail: str) -> UpstreamTls:
    """The error if TLS is required and cannot be established."""
    return UpstreamTls(detail, protocol=PROTOCOL)


def is_goodbye(reply: Reply) -> bool:
    """Whether the server ends the connection, which it may say in answer to any command (RFC 5321, 3.8)."""
    return reply.code == GOODBYE


def _busy(reply: Reply, seconds: int = LATER_SECONDS) -> UpstreamUnavailable:
    detail = "The mail server accepts no connections or logins at the moment."
    return UpstreamUnavailable(detail, protocol=PROTOCOL, code=reply.status, retry_after=seconds)


def _said(reply: Reply) -> str | None:
    return f"The mail server refused: {reply.text}"[:MAX_SERVER_TEXT] if reply.text else None

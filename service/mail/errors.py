"""What can go wrong, drawn as a tree. ``api/problems.py`` gives each leaf its status and title.

    MailError
      Unauthenticated, LoginRefused, NotPermitted       who you are, what you may
      NotFound, AlreadyExists, AlreadyDone, InUse, StaleId, StaleToken, Changed, OverQuota     the state of the mailbox
      InvalidRequest (InvalidQuery), TooLarge, TooManyRequests, RangeNotSatisfiable   the request
      NotSupported                                      the port has it, this mailbox does not
      StoreUnavailable                                  what replicas share
      UpstreamFailure                                   the mail server
        UpstreamError, UpstreamProtocol, UpstreamTls, UpstreamUnavailable, UpstreamTimeout, ServerBusy

``detail`` is for people and is safe to show: no secret, nothing a mail server said before login, and what it said later
cleaned and cut. ``code`` is the server's response code (RFC 5530, RFC 2449) where it gave one.
"""

from typing import ClassVar


class MailError(Exception):
    """Anything a mailbox can answer instead of what was asked."""

    default: ClassVar[str] = "The request could not be carried out."

    def __init__(self, detail: str | None = None, *, retry_after: int | None = None) -> None:
        super().__init__(detail or self.default)
        self.detail = detail or self.default
        self.retry_after = retry_after


class Unauthenticated(MailError):
    """No credentials, or a token that does not open."""

    default = "Send the mailbox's login and password (Basic), or a token from POST /v1/sessions (Bearer)."


class LoginRefused(MailError):
    """The mail server said no to these credentials. Never repeated by us: repeats lock accounts out."""

    default = "The mail server refused these credentials."


class NotPermitted(MailError):
    """Signed in, but not allowed this."""

    default = "The mail server does not allow this."


class NotFound(MailError):
    """No such thing. ``what`` names the kind: folder, message, part, account, server."""

    def __init__(self, what: str, detail: str | None = None) -> None:
        super().__init__(detail or f"There is no such {what}.")
        self.what = what


class AlreadyExists(MailError):
    """The name is taken."""

    default = "Something of that name exists already."


class AlreadyDone(MailError):
    """The request was carried out before, and its answer is no longer kept."""

    default = "This request was carried out before. Its answer is no longer kept: look at the mailbox."


class InUse(MailError):
    """The mailbox is locked by somebody else."""

    default = "Another client holds the mailbox. Try again shortly."


class StaleId(MailError):
    """The id names a place that was renumbered: UIDVALIDITY differs (RFC 9051, 2.3.1.1)."""

    default = "The folder was renumbered since this id was given. List it again."


class StaleToken(MailError):
    """The cursor or token reaches back to what can no longer be told."""

    default = "This cursor is no longer valid. Start the list again."


class Changed(MailError):
    """The condition of the request no longer holds."""

    default = "The message changed meanwhile."


class OverQuota(MailError):
    """No space left for this user."""

    default = "The mailbox is full."


class InvalidRequest(MailError):
    """A value no server could be asked with."""

    default = "The request has a value that cannot be used."


class InvalidQuery(InvalidRequest):
    """A search text that cannot be read; ``column`` is where, counted from 1."""

    def __init__(self, detail: str, column: int) -> None:
        super().__init__(f"Column {column}: {detail}")
        self.column = column


class UnsupportedMedia(MailError):
    """A body of another media type than is taken."""


class TooLarge(MailError):
    """Above a limit, ours or the server's."""

    default = "That is larger than allowed."


class TooManyRequests(MailError):
    """Slow down."""

    default = "Too many requests. Wait before the next."


class RangeNotSatisfiable(MailError):
    """The byte range lies outside; ``size`` is what there is."""

    def __init__(self, size: int) -> None:
        super().__init__(f"The range lies outside of the {size} octets there are.")
        self.size = size


class NotSupported(MailError):
    """The port has it, this mailbox does not. ``capability`` names what is missing."""

    def __init__(self, capability: str, detail: str | None = None) -> None:
        super().__init__(detail or f"This mailbox has no {capability}.")
        self.capability = capability


class StoreUnavailable(MailError):
    """What replicas share cannot be asked, and without it this would not be safe."""

    default = "Whether this session was ended cannot be known just now. Reads go on; try again shortly."


class UpstreamFailure(MailError):
    """The mail server, or the way to it. ``protocol`` and ``code`` say whose words they are."""

    def __init__(
        self,
        detail: str | None = None,
        *,
        protocol: str | None = None,
        code: str | None = None,
        retry_after: int | None = None,
    ) -> None:
        super().__init__(detail, retry_after=retry_after)
        self.protocol = protocol
        self.code = code


class UpstreamError(UpstreamFailure):
    """The server said no without a reason that has a leaf of its own."""

    default = "The mail server refused."


class UpstreamProtocol(UpstreamFailure):
    """The server broke its protocol or a limit; the connection was closed."""

    default = "The mail server's answer could not be understood."


class UpstreamTls(UpstreamFailure):
    """No trusted TLS where TLS is demanded."""

    default = "No trusted TLS connection to the mail server."


class UpstreamUnavailable(UpstreamFailure):
    """Not reachable, going down, or gone in mid-command."""

    default = "The mail server cannot be reached."


class UpstreamTimeout(UpstreamFailure):
    """No answer before the deadline."""

    default = "The mail server did not answer in time."


class ServerBusy(UpstreamFailure):
    """All connections of this account are taken, or the server limits them."""

    default = "All connections to this mailbox are busy. Try again shortly."

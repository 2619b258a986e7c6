"""The tree of errors. ``api/problems.py`` gives each leaf its status and title.

    MailError
      Unauthenticated, LoginRefused (ConsentRequired), AuthorizationPending    authentication
      NotPermitted                                      permission
      NotFound, AlreadyExists, AlreadyDone, InUse, StaleId, StaleToken, Changed, OverQuota     the state of the mailbox
      InvalidRequest (InvalidQuery), TooLarge, TooManyRequests, RangeNotSatisfiable   the request
      RecipientsRefused                                 the mail server sends to none of them
      NotSupported                                      the mailbox lacks a capability
      StoreUnavailable                                  the store that replicas share
      UpstreamFailure                                   the mail server
        UpstreamError, UpstreamProtocol, UpstreamTls, UpstreamUnavailable, UpstreamTimeout, ServerBusy
        MessageRefused                                  it refuses to send this message

``detail`` is for people and is safe to show: it has no secret, nothing that a mail server said before login, and what
it said later is cleaned and shortened. ``code`` is the server's response code (RFC 5530, RFC 2449), if it sent one.
"""

from typing import ClassVar, NamedTuple


class MailError(Exception):
    """The base of all errors that a mailbox can raise."""

    default: ClassVar[str] = "The request could not be carried out."

    def __init__(self, detail: str | None = None, *, retry_after: int | None = None) -> None:
        super().__init__(detail or self.default)
        self.detail = detail or self.default
        self.retry_after = retry_after


class Unauthenticated(MailError):
    """No credentials, or an invalid token."""

    default = "Send the mailbox's username and password (Basic), or a token from POST /v1/sessions (Bearer)."


class LoginRefused(MailError):
    """The mail server rejected these credentials. They are never sent again: repeated failures can lock the account."""

    default = "The mail server rejected these credentials."


class ConsentRequired(LoginRefused):
    """The user's grant (OAuth 2.0) has ended, was withdrawn or was never given."""

    default = "The access that was granted has ended. Ask for consent again, and sign in with the result."


class AuthorizationPending(MailError):
    """The user has not agreed yet (RFC 8628, 3.5)."""

    default = "The user has not agreed yet. Try again after the time in Retry-After."


class NotPermitted(MailError):
    """The signed-in user does not have permission."""

    default = "The mail server does not allow this."


class NotFound(MailError):
    """The thing does not exist. ``what`` is its kind, one of those that docs/errors.md lists."""

    def __init__(self, what: str, detail: str | None = None) -> None:
        super().__init__(detail or f"There is no such {what}.")
        self.what = what


class AlreadyExists(MailError):
    """The name is in use, or the folder to delete has subfolders."""

    default = "The name is already in use."


class AlreadyDone(MailError):
    """The request was carried out before, and its response is no longer stored."""

    default = (
        "This request was carried out before, and its response is no longer stored. Read the mailbox to see the result."
    )


class InUse(MailError):
    """Another client has locked the mailbox."""

    default = "Another client has locked the mailbox. Try again shortly."


class StaleId(MailError):
    """The id is from before a renumbering of its folder: UIDVALIDITY differs (RFC 9051, 2.3.1.1)."""

    default = "The mail server has renumbered the folder since this id was issued. List the folder again."


class StaleToken(MailError):
    """The cursor or token refers to a state from which the service cannot continue."""

    default = "This cursor is no longer valid. Start the list again."


class Changed(MailError):
    """The precondition of the request is not met."""

    default = "The message has changed meanwhile."


class OverQuota(MailError):
    """The user's quota is used up."""

    default = "The mailbox is full."
    token: str | None = None
    """Of an import: with it, the import goes on once there is room."""


class InvalidRequest(MailError):
    """The request has an invalid value. ``location`` names it, such as ``query.fields``, if that is known."""

    default = "The request has an invalid value."

    def __init__(self, detail: str | None = None, *, location: str | None = None) -> None:
        super().__init__(detail)
        self.location = location


class InvalidField(ValueError):
    """Raised by what validates one value of a request. The text says what to send, and never repeats the value."""


class InvalidQuery(InvalidRequest):
    """An invalid search text. ``column`` is the position of the error, counted from 1."""

    def __init__(self, detail: str, column: int) -> None:
        super().__init__(f"Column {column}: {detail}")
        self.column = column


class UnsupportedMedia(MailError):
    """The media type of the body is not supported."""


class TooLarge(MailError):
    """A limit of the service or the mail server is exceeded."""

    default = "The content is larger than allowed."


class TooManyRequests(MailError):
    """A rate limit is exceeded."""

    default = "Too many requests. Wait before sending the next one."


class RangeNotSatisfiable(MailError):
    """The byte range is outside the content, which has ``size`` octets."""

    def __init__(self, size: int) -> None:
        super().__init__(f"The range is outside the content of {size} octets.")
        self.size = size


class RefusedRecipient(NamedTuple):
    """``code`` is the reply code, with the enhanced status code if there is one: ``550 5.1.1``."""

    email: str
    code: str
    text: str


class RecipientsRefused(MailError):
    """The mail server refuses recipients, and nothing was sent."""

    def __init__(self, recipients: tuple[RefusedRecipient, ...]) -> None:
        names = "a recipient" if len(recipients) == 1 else f"{len(recipients)} recipients"
        super().__init__(f"The mail server refuses {names}. Nothing was sent.")
        self.recipients = recipients


class NotSupported(MailError):
    """The mailbox does not have the ``capability``."""

    def __init__(self, capability: str, detail: str | None = None) -> None:
        super().__init__(detail or f"This mailbox has no {capability}.")
        self.capability = capability


class StoreUnavailable(MailError):
    """The shared store is unavailable, and without it the request would not be safe."""

    default = (
        "The service cannot check at the moment whether this session was ended. Requests that only read still work."
        " Try again shortly."
    )


class UpstreamFailure(MailError):
    """The mail server or the network failed. ``protocol`` and ``code`` describe the server's response."""

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
    """The server rejected a command, for a reason that has no class of its own."""

    default = "The mail server rejected the request."


class UpstreamProtocol(UpstreamFailure):
    """The server broke its protocol or a limit; the connection was closed."""

    default = "The mail server's response could not be read."


class UpstreamTls(UpstreamFailure):
    """TLS is required, but there is no trusted TLS connection."""

    default = "There is no trusted TLS connection to the mail server."


class UpstreamUnavailable(UpstreamFailure):
    """The server is unreachable, is shutting down, or closed the connection during a command."""

    default = "The mail server cannot be reached."


class UpstreamTimeout(UpstreamFailure):
    """The server did not respond before the deadline."""

    default = "The mail server did not respond in time."


class ServerBusy(UpstreamFailure):
    """All connections of the account are in use, or the server limits their number."""

    default = "All connections to this mailbox are busy. Try again shortly."


class MessageRefused(UpstreamFailure):
    """The server refused the sender or the content of a message for good. Nothing was sent."""

    default = "The mail server refuses to send this message."

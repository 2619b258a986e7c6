"""What an example of each problem type says beside the members that all problems have."""

from collections.abc import Mapping
from typing import Any

_IMAP = {"protocol": "imap"}
_SMTP = {"protocol": "smtp"}
_MESSAGE = "/v1/accounts/me/messages/m_E_LKNKfd6mIAAAFFSU5CT1g"
_LIST = "/v1/accounts/me/folders/inbox/messages"
_LIMIT = "Send a number of at most 200."

PROBLEM_EXAMPLES: Mapping[str, dict[str, Any]] = {
    "unauthenticated": {"detail": "Send the mailbox's username and password (Basic), or a token from POST /v1/sessions (Bearer)."},
    "login-refused": {"detail": "The mail server rejected these credentials.", "instance": "/v1/sessions", "upstream": {**_IMAP, "code": "AUTHENTICATIONFAILED"}},
    "consent-required": {"detail": "The provider no longer accepts what the user granted. Sign in again.", "instance": _LIST},
    "authorization-pending": {"detail": "The user has not agreed at the provider yet.", "instance": "/v1/sessions"},
    "not-permitted": {"detail": "The mail server does not allow this.", "upstream": {**_IMAP, "code": "NOPERM"}},
    "not-found": {"detail": "There is no such folder.", "what": "folder"},
    "already-exists": {"detail": "The name is already in use."},
    "already-done": {"detail": "This request was carried out before, and its response is no longer stored. Read the mailbox to see the result.", "instance": f"{_MESSAGE}/move"},
    "in-use": {"detail": "Another client has locked the mailbox. Try again shortly.", "instance": _LIST},
    "stale-id": {"detail": "The mail server has renumbered the folder since this id was issued. List the folder again.", "instance": _MESSAGE},
    "stale-token": {"detail": "This cursor is no longer valid. Start the list again.", "instance": _LIST},
    "changed": {"detail": "The message has changed meanwhile.", "instance": f"{_MESSAGE}/flags"},
    "too-large": {"detail": "The content is larger than allowed.", "instance": _LIST},
    "range-not-satisfiable": {"detail": "The part has 20480 octets.", "instance": f"{_MESSAGE}/parts/2"},
    "invalid-request": {"detail": f"query.limit: {_LIMIT}", "instance": _LIST, "errors": [{"location": "query.limit", "message": _LIMIT}]},
    "recipients-refused": {"detail": "The mail server refuses a recipient. Nothing was sent.", "instance": "/v1/accounts/me/submissions", "recipients": [{"email": "nobody@example.org", "code": "550 5.1.1", "text": "User unknown"}]},
    "message-refused": {"detail": "The mail server refuses to send this message.", "instance": "/v1/accounts/me/submissions", "upstream": {**_SMTP, "code": "554 5.7.1"}},
    "too-many-requests": {"detail": "Too many requests. Wait before sending the next one."},
    "not-supported": {"detail": "This IMAP server does not support quota.", "instance": "/v1/accounts/me/quota", "capability": "quota"},
    "upstream-error": {"detail": "The mail server rejected the request.", "upstream": {**_IMAP, "code": "CANNOT"}},
    "upstream-protocol": {"detail": "The mail server's response could not be read.", "upstream": _IMAP},
    "upstream-tls": {"detail": "There is no trusted TLS connection to the mail server.", "upstream": _IMAP},
    "upstream-unavailable": {"detail": "The mail server cannot be reached.", "upstream": {**_IMAP, "code": "UNAVAILABLE"}},
    "busy": {"detail": "All connections to this mailbox are busy. Try again shortly.", "upstream": _IMAP},
    "store-unavailable": {"detail": "The service cannot check at the moment whether this session was ended. Requests that only read still work. Try again shortly.", "instance": f"{_MESSAGE}/flags"},
    "upstream-timeout": {"detail": "The mail server did not respond in time.", "instance": "/v1/accounts/me/search", "upstream": _IMAP},
    "over-quota": {"detail": "The mailbox is full.", "instance": _LIST, "upstream": {**_IMAP, "code": "OVERQUOTA"}},
    "unsupported-media-type": {"detail": "Send the message with Content-Type: message/rfc822.", "instance": _LIST},
    "malformed-request": {"detail": "The request has two Host fields.", "instance": "/v1/servers"},
    "request-timeout": {"detail": "The body did not arrive in time.", "instance": "/v1/sessions"},
    "head-too-large": {"detail": "A header field is too long.", "instance": "/v1/servers"},
    "method-not-allowed": {"detail": "The Allow header lists the methods that this address supports.", "instance": "/v1/servers"},
    "internal-error": {"detail": "Report the `requestId` to the operator of this service."},
}  # fmt: skip

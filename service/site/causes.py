"""Why each problem happens, by the name of its type. What to do about it stands in the table of problem types."""

from collections.abc import Mapping

CAUSES: Mapping[str, str] = {
    "unauthenticated": "No credentials, or a token that has expired or was made with another key.",
    "login-refused": "The mail server rejected the login: the username or password is wrong, or the access token has"
    " expired.",
    "consent-required": "The provider no longer accepts what the user granted (OAuth 2.0).",
    "authorization-pending": "The user has not agreed to the device code yet.",
    "not-permitted": "The user does not have the right that this needs.",
    "not-found": "What the request names does not exist, or not for this account.",
    "already-exists": "The name is in use, or the folder to delete has subfolders.",
    "already-done": "The first request with this `Idempotency-Key` was carried out, but its response is no longer"
    " stored.",
    "in-use": "Another client has locked the mailbox, or another request is sending or changing the draft.",
    "stale-id": "The server renumbered the folder, so the id is not valid any more.",
    "stale-token": "The cursor or token has expired.",
    "changed": "The message changed since your `If-Match`.",
    "too-large": "The request or its result is too large.",
    "range-not-satisfiable": "The range is outside the content.",
    "invalid-request": "A value of the request is invalid.",
    "recipients-refused": "The mail server refuses recipients. Nothing was sent.",
    "message-refused": "The mail server refuses the sender or the content for good. Nothing was sent.",
    "too-many-requests": "Too many requests, or too many rejected logins.",
    "not-supported": "The mailbox does not have this `capability`.",
    "upstream-error": "The mail server rejected the request.",
    "upstream-protocol": "The mail server sent an invalid response.",
    "upstream-tls": "There is no trusted TLS connection to the mail server: its certificate, host name or TLS version"
    " is not accepted.",
    "upstream-unavailable": "The mail server cannot be reached, or it is shutting down.",
    "busy": "Too many requests at once, for this mailbox or for the service.",
    "store-unavailable": "The store that replicas share is unavailable. Requests that only read still work.",
    "upstream-timeout": "The mail server did not respond in time. Searches of large folders take longest.",
    "over-quota": "The mailbox has used up its quota, so the mail server takes no more messages.",
    "unsupported-media-type": "The body has the wrong type, or is compressed (`Content-Encoding`).",
    "malformed-request": "This is not a valid HTTP request.",
    "request-timeout": "The request did not arrive completely in time.",
    "head-too-large": "The target, the header fields or chunk lines are too large.",
    "method-not-allowed": "The address does not support this method.",
    "internal-error": "A bug in Casella.",
}

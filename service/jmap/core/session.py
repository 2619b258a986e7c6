"""The Session object (RFC 8620, 2): what the account can, and where."""

from functools import lru_cache
from hashlib import blake2s
from typing import Any

from service.jmap.core.limits import Limits

CORE = "urn:ietf:params:jmap:core"
MAIL = "urn:ietf:params:jmap:mail"
SUBMISSION = "urn:ietf:params:jmap:submission"
QUOTA = "urn:ietf:params:jmap:quota"
BLOB = "urn:ietf:params:jmap:blob"


def session(
    base: str,
    account: str,
    username: str,
    limits: Limits,
    capabilities: dict[str, dict[str, Any]],
    *,
    is_writable: bool,
) -> dict[str, Any]:
    """``capabilities`` are those of the account; ``base`` is the address of the service without a slash at its end."""
    body: dict[str, Any] = {
        "capabilities": {CORE: limits.described(), **{name: {} for name in capabilities}},
        "accounts": {
            account: {
                "name": username,
                "isPersonal": True,
                "isReadOnly": not is_writable,
                "accountCapabilities": capabilities,
            }
        },
        "primaryAccounts": dict.fromkeys(capabilities, account),
        "username": username,
        "apiUrl": f"{base}/jmap",
        "downloadUrl": f"{base}/jmap/download/{{accountId}}/{{blobId}}/{{name}}?type={{type}}",
        "uploadUrl": f"{base}/jmap/upload/{{accountId}}",
        "eventSourceUrl": f"{base}/jmap/eventsource?types={{types}}&closeafter={{closeafter}}&ping={{ping}}",
    }
    return {**body, "state": _state(repr(sorted(body.items())))}


@lru_cache(maxsize=256)
def _state(text: str) -> str:
    return blake2s(text.encode(errors="replace"), digest_size=8).hexdigest()


def account_capabilities(
    limits: Limits, sorts: tuple[str, ...], digests: list[str], *, can_send: bool, can_create: bool
) -> dict[str, dict[str, Any]]:
    """The account's capabilities with their properties."""
    mail = {
        "maxMailboxesPerEmail": None,
        "maxMailboxDepth": None,
        "maxSizeMailboxName": 255,
        "maxSizeAttachmentsPerEmail": limits.max_upload,
        "emailQuerySortOptions": list(sorts),
        "mayCreateTopLevelMailbox": can_create,
    }
    blob = {
        "maxSizeBlobSet": 4 << 20,
        "maxDataSources": 64,
        "supportedTypeNames": ["Mailbox", "Thread", "Email"],
        "supportedDigestAlgorithms": digests,
    }
    sending = {SUBMISSION: {"maxDelayedSend": 0, "submissionExtensions": {}}} if can_send else {}
    return {MAIL: mail, **sending, QUOTA: {}, BLOB: blob}

"""What an operation is called in documentation, in words: ``listMessages`` is "List messages"."""

import re

_TITLES = {
    "attachFile": "Attach a file",
    "changeDraft": "Change a draft",
    "changeFolder": "Rename or move a folder",
    "changeMessages": "Change many messages",
    "createDeviceCode": "Get a device code",
    "createDraft": "Write a draft",
    "createEventTicket": "Get a ticket for events of several accounts",
    "createFetch": "Fetch mail regularly",
    "createSession": "Sign in",
    "createSubscription": "Subscribe a device",
    "deleteFetch": "End a standing fetch",
    "deleteGrant": "Withdraw access rights",
    "deleteSession": "Sign out",
    "deleteSubscription": "End a subscription",
    "detachFile": "Remove an attachment",
    "getDiscovery": "Find the mail server of an address",
    "getFetch": "Get a standing fetch",
    "getHealth": "Check that the service is alive",
    "getMessages": "Get several messages",
    "getPart": "Download a part",
    "getPartTicket": "Get a link to a part",
    "getPush": "Get the push key",
    "getReadiness": "Check that the service is ready",
    "getSource": "Download the source",
    "importMail": "Import mail of another mailbox",
    "listAccountChanges": "List changes of the account",
    "listChanges": "List changes of a folder",
    "listFetches": "List standing fetches",
    "listGrants": "List access rights",
    "listPeople": "Find people",
    "listServers": "List mail servers",
    "listSubscriptions": "List subscribed devices",
    "listThread": "Get a conversation",
    "replyToMessage": "Reply to a message",
    "setGrant": "Set access rights",
    "setSettings": "Store settings",
    "submitMessage": "Send a message",
    "verifySubscription": "Verify or renew a subscription",
    "watchAccount": "Listen for events",
    "watchAccounts": "Listen for events of several accounts",
}
"""Titles that say more than the operationId's own words."""
_ARTICLES = re.compile(r"^(append|copy|create|delete|empty|forward|get|move|send) (folder|message|draft)$")


def title_of(operation_id: str) -> str:
    """The title of an operation."""
    words = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", " ", operation_id).lower()
    return _TITLES.get(operation_id) or _ARTICLES.sub(r"\1 a \2", words).capitalize()

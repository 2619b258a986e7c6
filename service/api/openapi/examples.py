"""An example of each request and response body, by the name of its schema. The contract shows them, and tests validate
them against their schemas."""

from typing import Any

_INBOX = "f_E_LKNElOQk9Y"
WORK = "f_E_LKNFdvcms"
MESSAGE = "m_E_LKNKfd6mIAAAFFSU5CT1g"
_MOVED = "m_E_LKNKfd6mIAAAAHV29yaw"
_ACCOUNT = {
    "id": "U_-X8fM9oeMIhpNU",
    "username": "ann@example.org",
    "server": "home",
    "protocol": "imap",
    "capabilities": [
        "acl",
        "append",
        "changes",
        "flags",
        "folders",
        "move",
        "push",
        "quota",
        "search",
        "sort",
        "threads",
    ],
    "quota": {"used": 52428800, "limit": 1073741824},
    "watch": {"mode": "notify", "heardSecondsAgo": 11.4, "eventSecondsAgo": 86.2, "losses": 0},
}
_FOLDER = {
    "id": _INBOX,
    "name": "INBOX",
    "path": ["INBOX"],
    "role": "inbox",
    "totalMessages": 225,
    "unreadMessages": 51,
    "isSubscribed": True,
    "isSelectable": True,
}
_CHILD = {
    "id": WORK,
    "name": "Work",
    "path": ["Archive", "Work"],
    "parentId": "f_E_LKNEFyY2hpdmU",
    "totalMessages": 0,
    "unreadMessages": 0,
    "isSubscribed": True,
    "isSelectable": True,
}
FETCH = "f_8f14e45fceea167a5a36dedd"
_FETCH = {
    "id": FETCH,
    "from": {"username": "ann@old.example", "server": "old", "protocol": "pop3"},
    "deleteSource": False,
    "everySeconds": 900,
    "createdAt": "2026-09-01T08:00:00Z",
    "state": "waiting",
    "nextRunAt": "2026-09-01T08:30:00Z",
    "lastRunAt": "2026-09-01T08:15:00Z",
    "lastCopied": 2,
    "copied": 17,
    "failed": [],
}
THREAD = "t_MUBleGFtcGxlLm9yZw"
SETTINGS_ETAG = '"mVx3hJqk8dYt0wRb"'
MARK = "vC0q3yYt0nJxWc5mS1bVg7oQb2kq8mZr4HfXw2u9PpA1cKdE"
SUBSCRIPTION = "p_5f2c9a7be0d14c38"
CODE = "Vt3nq0yJxWc5mS1bVg7oQb"
ENDPOINT = "https://push.example.org/wpush/v2/gAAAAABm"
_VAPID = "q1w2e3r4"
_DEVICE = "Ann's phone"
NEW_DRAFT = "m_E_LKNI-7jFkAAAAByRHJhZnRz"
_MESSAGE_ID = "7c2e4b0a-6a0e-4b8e-9a55-0f6d3f6f9d1e@example.org"
_IMPORT = "eyJhbGciOiJkaXIiLCJlbmMiOiJBMjU2R0NNIn0..d1uGx7hTq0bVnYcE.Zm9v.aP4kLw8sQe2rTy6uIo0pXg"
_DRAFT = {
    "to": [{"name": "Ben Example", "email": "ben@example.org"}],
    "subject": "Übersicht",
    "text": "Please see the attachment.",
    "attachments": [{"messageId": MESSAGE, "partId": "2"}],
}
_IDENTITY = {
    "id": "work",
    "name": "Ann Example",
    "email": "ann@example.org",
    "replyTo": [{"email": "office@example.org"}],
    "signature": {"text": "Ann Example", "html": "<p>Ann Example</p>"},
}
_GRANT = {"identifier": "ben@example.org", "rights": "lrs"}
_ROW = {
    "id": MESSAGE,
    "folderId": _INBOX,
    "subject": "Übersicht",
    "from": [{"name": "Ben Example", "email": "ben@example.org"}],
    "to": [{"email": "ann@example.org"}],
    "receivedAt": "2026-09-01T08:00:00Z",
    "sentAt": "2026-09-01T09:59:58+02:00",
    "size": 21305,
    "flags": ["$seen"],
    "hasAttachment": True,
    "messageId": "299.post@example.org",
}
_ATTACHMENT = {
    "id": "2",
    "type": "application/pdf",
    "name": "Übersicht.pdf",
    "size": 20480,
    "encoding": "base64",
    "disposition": "attachment",
}
_TEXT = {"id": "1", "type": "text/plain", "size": 22, "encoding": "7bit", "charset": "utf-8"}
_SUBSCRIPTION = {
    "id": SUBSCRIPTION,
    "kind": "webpush",
    "device": _DEVICE,
    "expiresAt": "2026-09-08T08:00:00Z",
    "isVerified": True,
    "source": "server",
    "events": ["created"],
    "alert": False,
    "vapidKey": _VAPID,
}
_PAGE = {"items": [_ROW], "nextCursor": "dus6x6fd6mIAAAFEAAAA4PehrSA", "total": 225}

_TOKEN = "eyJhbGciOiJkaXIiLCJlbmMiOiJBMjU2R0NNIn0..ikyXJEFg8uATr8Ny.ZBFe.o4FYgSyIx7JH-lI0uyJzrA"  # noqa: S105 - an example
EXAMPLES: dict[str, Any] = {
    "NewSession": {"username": "ann@example.org", "password": "correct horse battery staple"},
    "Session": {
        "token": _TOKEN,
        "expiresAt": "2026-09-08T08:00:00Z",
        "account": _ACCOUNT,
    },
    "NewEventTicket": {"tokens": [_TOKEN]},
    "EventTicket": {
        "ticket": "eyJhbGciOiJkaXIiLCJlbmMiOiJBMjU2R0NNIn0..m0sZ3kqVn7yTq2Lw.XkYd.Jr5fTg8vWq1bNc4xZp7aSw",
        "expiresAt": "2026-09-01T08:10:00Z",
        "accounts": [{"accountId": _ACCOUNT["id"]}],
    },
    "DiscoveryResult": {
        "candidates": [{"source": "table", "server": "home", "login": "address", "auth": ["oauth2", "password"]}],
        "oauth": {
            "provider": "example",
            "authorizationEndpoint": "https://sign-in.example.org/authorize",
            "scopes": ["mail"],
            "clientId": "casella",
        },
    },
    "DeviceSignIn": {
        "userCode": "KQRT-XBVN",
        "verificationUri": "https://sign-in.example.org/device",
        "deviceCode": "mPB2YxvTq3Jc0dKw",
        "interval": 5,
        "expiresAt": "2026-09-01T08:15:00Z",
    },
    "ServerList": {"items": [{"name": "home", "domains": ["example.org"], "protocols": ["imap", "pop3"]}]},
    "Account": _ACCOUNT,
    "FolderList": {"items": [_FOLDER, _CHILD]},
    "Folder": _CHILD,
    "NewFolder": {"name": "Work", "parentId": "archive"},
    "FolderPatch": {"name": "Office", "isSubscribed": False},
    "GrantList": {"items": [_GRANT]},
    "Grant": _GRANT,
    "GrantRights": {"rights": "lrs"},
    "QuotaList": {"items": [{"root": "User quota", "resource": "storage", "used": 52428800, "limit": 1073741824}]},
    "Page": _PAGE,
    "SearchRequest": {
        "filter": {"operator": "OR", "conditions": [{"subject": "invoice"}, {"hasAttachment": True}]},
        "folders": ["inbox", "archive"],
        "sort": "-receivedAt",
        "limit": 20,
    },
    "MessageList": {"items": [{**_ROW, "labels": ["\\Important", "Travel"]}], "notFound": [_MOVED]},
    "Message": {
        **_ROW,
        "cc": [],
        "bcc": [],
        "replyTo": [],
        "sender": [],
        "references": [],
        "structure": {"id": "0", "type": "multipart/mixed", "parts": [_TEXT, _ATTACHMENT]},
        "attachments": [_ATTACHMENT],
        "body": {"text": "Please see the attachment.\r\n", "isTruncated": False, "remoteContent": [], "warnings": []},
    },
    "PartTicket": {
        "url": f"https://mail.example.org/v1/accounts/me/messages/{MESSAGE}/parts/2?ticket=eyJhbGciOiJkaXIifQ..a.b.c",
        "expiresAt": "2026-09-02T00:10:00Z",
    },
    "ThreadMessages": {"items": [_ROW]},
    "HeaderList": {
        "items": [{"name": "Subject", "value": "Übersicht", "raw": " =?utf-8?Q?=C3=9Cbersicht?="}],
    },
    "Flags": {"flags": ["$seen", "$flagged"]},
    "FlagPatch": {"add": ["$flagged"], "remove": ["$seen"]},
    "TargetFolder": {"folderId": "archive"},
    "MessageRef": {"id": _MOVED},
    "BulkRequest": {"ids": [MESSAGE], "action": "move", "folderId": "archive"},
    "BulkResponse": {"results": [{"id": MESSAGE, "status": 200, "newId": _MOVED}]},
    "ChangesPage": {"created": [MESSAGE], "updated": [], "destroyed": [_MOVED], "token": MARK, "hasMore": False},
    "AccountChangesPage": {
        "folders": [
            {"folderId": _INBOX, "created": [MESSAGE], "updated": [], "destroyed": []},
        ],
        "createdFolders": [WORK],
        "destroyedFolders": [],
        "token": MARK,
        "hasMore": False,
    },
    "NewImport": {
        "from": {"username": "ann@old.example", "password": "old horse old staple"},
        "seconds": 20,
    },
    "ImportResult": {
        "token": _IMPORT,
        "isDone": False,
        "copied": 1250,
        "skipped": 3,
        "failed": [
            {
                "folder": "INBOX",
                "id": MESSAGE,
                "reason": "tooLarge",
                "detail": "The mail server takes messages of at most 26214400 octets.",
            }
        ],
        "left": 8746,
        "octets": 73400320,
        "folders": [
            {"name": "INBOX", "copied": 1250, "skipped": 3, "left": 8000},
            {"name": "Archive/Work", "copied": 0, "skipped": 0, "left": 746},
        ],
    },
    "NewFetch": {
        "from": {"username": "ann@old.example", "password": "old horse old staple", "server": "old"},
        "everySeconds": 900,
    },
    "Fetch": _FETCH,
    "FetchList": {"items": [_FETCH]},
    "EmptyFolderResult": {"removed": 13},
    "AccountSettings": {"settings": {"identities": [_IDENTITY], "theme": "dark"}},
    "PersonList": {
        "items": [{"name": "Ben Example", "email": "ben@example.org", "count": 12, "lastAt": "2026-09-01T08:00:00Z"}]
    },
    "PushService": {
        "vapid": {
            "id": _VAPID,
            "publicKey": "BP4z9KsN6nGRTbVYI_c7VJSPQTBtkgcy27mlmlMoZIIgDll6e3vCYLocInmYWAmS6TlzAC8wEqKK6PBru3jl7A8",
        },
        "kinds": ["webpush", "webhook"],
    },
    "SubscriptionRequest": {
        "kind": "webpush",
        "endpoint": ENDPOINT,
        "keys": {
            "p256dh": "BCVxsr7N_eNgVRqvHtD0zTZsEc6-VV-JvLexhqUzORcxaOzi6-AYWXvTBHm4bjyPjs7Vd8pZGH6SRpkNtoIAiw4",
            "auth": "BTBZMqHH6r4Tts7J_aSIgg",
        },
        "device": _DEVICE,
        "events": ["created"],
    },
    "CreatedSubscription": {
        "id": SUBSCRIPTION,
        "expiresAt": "2026-09-08T08:00:00Z",
        "isVerified": False,
        "source": "server",
    },
    "SubscriptionCode": {"code": CODE},
    "PushSubscription": _SUBSCRIPTION,
    "PushSubscriptionList": {"items": [_SUBSCRIPTION]},
    "IdentityList": {"items": [_IDENTITY]},
    "NewDraft": _DRAFT,
    "ReplyRequest": {"all": True, "text": "At noon?"},
    "ForwardRequest": {"as": "inline", "to": [{"email": "ben@example.org"}], "text": "Please see below."},
    "DraftRef": {"id": NEW_DRAFT, "messageId": _MESSAGE_ID},
    "AttachmentRef": {"id": NEW_DRAFT, "partId": "2"},
    "ChangedDraft": {"id": NEW_DRAFT},
    "Submission": {
        "messageId": _MESSAGE_ID,
        "sentAt": "2026-09-01T08:00:00Z",
        "from": "ann@example.org",
        "accepted": ["ben@example.org"],
        "rejected": [],
        "sent": "m_E_LKNKfd6mIAAAAHU2VudA",
        "warnings": [],
    },
    "Health": {"status": "ready"},
}

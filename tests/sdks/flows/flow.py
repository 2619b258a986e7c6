"""What an app does, by the generated Python SDK: ``flow.py URL USERNAME PASSWORD`` prints what came of it as JSON."""

import json
import sys

from casella_client import (
    AccountsApi,
    ApiClient,
    ApiException,
    BulkRequest,
    Configuration,
    FlagPatch,
    Folder,
    FoldersApi,
    MessagesApi,
    NewFolder,
    NewSession,
    Problem,
    SearchFilter,
    SearchRequest,
    SessionsApi,
)

url, username, password = sys.argv[1:]


def signed_in(**more: str) -> ApiClient:
    new = NewSession(username=username, password=password, **more)
    session = SessionsApi(ApiClient(Configuration(host=url))).create_session(new)
    return ApiClient(Configuration(host=url, access_token=session.token))


def problem(call) -> Problem:
    try:
        call()
    except ApiException as error:
        return Problem.from_json(error.body)
    raise AssertionError("it was not refused")


client = signed_in()
accounts, folders, messages = AccountsApi(client), FoldersApi(client), MessagesApi(client)
account = accounts.get_account("me")
first = messages.list_messages("me", "inbox", limit=2)
second = messages.list_messages("me", "inbox", limit=2, cursor=first.next_cursor)
message = messages.get_message("me", second.items[0].id)
[attachment] = message.attachments
flags = messages.change_flags("me", message.id, FlagPatch(add=["$flagged"]))
flagged = messages.list_messages("me", "inbox", flagged=True)
either = [SearchFilter(subject="会議"), SearchFilter(has_attachment=True)]
found = messages.search_messages("me", SearchRequest(filter=SearchFilter(operator="OR", conditions=either)))
bulk = messages.change_messages("me", BulkRequest(ids=[message.id, "m_nosuch"], action="flags", add=["$seen"]))
appended = messages.append_message("me", "drafts", b"Subject: draft\r\n\r\ntext\r\n", flags=["$draft", "$seen"])
missing = problem(lambda: messages.get_message("me", "m_nosuch"))
maildrop = FoldersApi(signed_in(protocol="pop3"))
unsupported = problem(lambda: maildrop.create_folder("me", NewFolder(name="Work")))
newer = Folder.from_dict(
    {"id": "f", "name": "n", "path": [], "isSubscribed": True, "isSelectable": True, "colour": "blue"}
)

print(
    json.dumps(
        {
            "account": [account.username, account.protocol],
            "roles": sorted(folder.role for folder in folders.list_folders("me").items if folder.role),
            "first": [row.subject for row in first.items],
            "second": [row.subject for row in second.items],
            "total": first.total,
            "last": second.next_cursor is None,
            "from": message.var_from[0].email,
            "text": message.body.text,
            "received": message.received_at.timestamp(),
            "attachment": attachment.name,
            "range": messages.get_part("me", message.id, attachment.id, range="bytes=10-19").decode(),
            "octets": len(messages.get_part("me", message.id, attachment.id)),
            "flags": sorted(flags.flags),
            "flagged": [row.subject for row in flagged.items],
            "found": sorted(row.subject for row in found.items),
            "bulk": [[result.status, result.problem.what if result.problem else None] for result in bulk.results],
            "source": messages.get_source("me", appended.id).decode(),
            "missing": [missing.type, missing.status, missing.what],
            "unsupported": [unsupported.type, unsupported.status, unsupported.capability],
            "newer": newer.name,
        }
    )
)

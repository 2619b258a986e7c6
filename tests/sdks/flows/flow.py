"""What an app does, by the Python SDK, in the steps of openapi/sdks/STEPS.md: ``flow.py URL USERNAME PASSWORD`` prints
what came of it as JSON."""

import json
import sys
from collections.abc import Callable

from casella_client import (
    Account,
    Address,
    ApiProblem,
    Casella,
    FlagPatch,
    Message,
    NewDraft,
    NewSession,
    SearchFilter,
    SearchRequest,
    pages,
)

url, username, password = sys.argv[1:]
casella = Casella(url)
messages = casella.messages


def eml(subject: str) -> bytes:
    return f"Subject: {subject}\r\n\r\ntext\r\n".encode()


def refused(call: Callable[[], object]) -> ApiProblem:
    try:
        call()
    except ApiProblem as problem:
        return problem
    raise AssertionError("it was not refused")


def unchanged() -> list[bool]:
    first = casella.if_changed(None, lambda apis: apis.messages.list_messages("me", "inbox", limit=2))
    second = casella.if_changed(first.etag, lambda apis: apis.messages.list_messages("me", "inbox", limit=2))
    return [first.is_unchanged, second.is_unchanged]


def part(message: Message) -> list[object]:
    attachment = message.attachments[0].id
    text = messages.get_part("me", message.id, attachment, range="bytes=10-19").decode()
    return [text, len(messages.get_part("me", message.id, attachment))]


def found() -> list[str]:
    either = SearchFilter(operator="OR", conditions=[SearchFilter(subject="会議"), SearchFilter(has_attachment=True)])
    return sorted(row.subject for row in messages.search_messages("me", SearchRequest(filter=either)).items)


def draft(account: Account) -> list[object]:
    new = NewDraft(to=[Address(email="bob@example.net")], subject="Grüße 会議", text="Hello")
    created = casella.drafts.create_draft("me", new)
    if "send" in account.capabilities:
        return ["sent", casella.sending.send_draft("me", created.id).accepted]
    appended = messages.append_message("me", "drafts", eml("draft"), flags=["$draft"])
    return ["appended", messages.get_source("me", appended.id).decode()]


def missing() -> list[object]:
    problem = refused(lambda: messages.get_message("me", "m_nosuch"))
    is_explained = bool(problem.request_id and problem.detail)
    return [problem.type, problem.title, problem.status, problem.retryable, is_explained, problem.what]


def event() -> list[str]:
    events = casella.events()
    first = next(events)
    appended = messages.append_message("me", "inbox", eml("event")).id
    return [first.type, next(one.type for one in events if appended in one.data.get("created", []))]


def signed_out() -> int:
    casella.sign_out()
    return refused(lambda: casella.accounts.get_account("me")).status


casella.sign_in(NewSession(username=username, password=password))
account = casella.accounts.get_account("me")
listed = list(pages(lambda cursor: messages.list_messages("me", "inbox", limit=2, cursor=cursor)))
message = messages.get_message("me", listed[-1].items[-1].id)
told = {
    "signedIn": [account.username, account.protocol],
    "folders": sorted(folder.role for folder in casella.folders.list_folders("me").items if folder.role),
    "pages": [[row.subject for row in page.items] for page in listed],
    "message": [
        message.from_[0].email,
        message.body.text,
        message.received_at.timestamp(),
        message.attachments[0].name,
    ],
    "unchanged": unchanged(),
    "part": part(message),
    "flags": sorted(messages.change_flags("me", message.id, FlagPatch(add=["$flagged"])).flags),
    "found": found(),
    "draft": draft(account),
    "missing": missing(),
    "event": event(),
    "signedOut": signed_out(),
}
print(json.dumps(told))

"""Thread/get and /changes."""

from typing import Any

from service.jmap.account.account import Account
from service.jmap.account.emails import is_visible, read_rows, rows_of
from service.jmap.core.arguments import Arguments
from service.jmap.core.errors import MethodError, invalid
from service.jmap.core.records import get_response, wanted_properties
from service.jmap.methods.email.changes import Changed, changed_since
from service.jmap.values.emails import thread_of
from service.mail.errors import NotFound, NotSupported

PROPERTIES = ("id", "emailIds")
MAX_THREADS = 100
_OWN = "t_"
"""Begins the thread of an Email that has no other: its own id follows."""


async def get(account: Account, arguments: Arguments) -> dict[str, Any]:
    """Thread/get. A search over all folders for each thread."""
    account.require(arguments)
    ids = arguments.ids("ids")
    if ids is None:
        raise invalid("ids is required: there may be too many threads to get all.")
    if len(ids) > MAX_THREADS:
        raise MethodError("requestTooLarge", f"At most {MAX_THREADS} threads can be asked for at once.")
    properties = wanted_properties(arguments, PROPERTIES)
    state = await account.state()
    records = []
    for thread in dict.fromkeys(ids):
        if emails := await _emails_of(account, thread):
            record = {"id": thread, "emailIds": emails}
            records.append({name: record[name] for name in properties})
    return get_response(account.id, state, records, ids)


async def _emails_of(account: Account, thread: str) -> list[str]:
    """Oldest first; empty if there is no such thread."""
    try:
        page = await account.backend.list_thread(thread)
    except (NotFound, NotSupported):
        alone = thread.removeprefix(_OWN)
        return [alone] if thread.startswith(_OWN) and alone in await read_rows(account, [alone]) else []
    folders = {folder.id for folder in (await account.folders()).values()}
    rows = [row for row in rows_of(page.items) if is_visible(row) and row["folderId"] in folders]
    emails = await account.index.emails_of(row["id"] for row in rows)
    return list(dict.fromkeys(emails[row["id"]] for row in rows))


async def changes(account: Account, arguments: Arguments) -> dict[str, Any]:
    """Thread/changes: threads that got or lost an Email. Raises cannotCalculateChanges if the thread of one that is
    gone is not known."""
    account.require(arguments)
    since = arguments.required_text("sinceState")
    found = await changed_since(account, since)
    rows = await read_rows(account, found.created, thread=True)
    grown = dict.fromkeys(thread_of(email, each[0]) for email, each in rows.items())
    lost = [account.index.thread_of(email) for email in found.destroyed]
    shrunk = [thread for thread in lost if thread is not None]
    threads = list(dict.fromkeys((*grown, *shrunk)))
    if None in lost or len(threads) > min(MAX_THREADS, arguments.number("maxChanges", least=1) or MAX_THREADS):
        raise MethodError("cannotCalculateChanges")
    new = set(found.created)
    created, updated, destroyed = list[str](), list[str](), list[str]()
    for thread in threads:
        emails = await _emails_of(account, thread)
        if not emails:
            destroyed.append(thread)
        elif new.issuperset(emails) and thread not in shrunk:
            created.append(thread)
        else:
            updated.append(thread)
    return Changed(found.state, found.has_more, created, updated, destroyed).response(account, since)

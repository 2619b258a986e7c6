"""SearchSnippet/get (RFC 8621, 5): the words of a search, marked in subject and text."""

import re
from collections.abc import Iterator
from html import escape
from typing import Any

from service.jmap.account.account import Account
from service.jmap.account.emails import read_rows
from service.jmap.core.arguments import Arguments
from service.jmap.core.errors import invalid
from service.jmap.values.filters import read_filter
from service.mail.errors import NotFound
from service.mail.model import HtmlMode
from service.mail.search.filter import Condition, Criterion, Filter, Logic

MAX_EMAILS = 100
MAX_WORDS = 32
MAX_TEXT = 64 << 10
"""Characters of a text that are looked through."""
_BEFORE, _LONG = 40, 180
_SUBJECT = frozenset({Criterion.TEXT, Criterion.SUBJECT})
_BODY = frozenset({Criterion.TEXT, Criterion.BODY})


async def get(account: Account, arguments: Arguments) -> dict[str, Any]:
    """SearchSnippet/get."""
    account.require(arguments)
    ids = arguments.ids("emailIds")
    if ids is None or len(ids) > MAX_EMAILS:
        raise invalid(f"emailIds is a list of at most {MAX_EMAILS} ids.")
    tree = read_filter(arguments.get("filter"))
    in_subject, in_body = (_pattern(tree, criteria) for criteria in (_SUBJECT, _BODY))
    emails = [account.resolve(each) for each in ids]
    rows = await read_rows(account, emails)
    snippets = []
    for email in dict.fromkeys(emails):
        if email in rows:
            row = rows[email][0]
            snippets.append(
                {
                    "emailId": email,
                    "subject": _marked(row.get("subject") or "", in_subject),
                    "preview": await _preview(account, row["id"], in_body),
                }
            )
    missing = [email for email in dict.fromkeys(emails) if email not in rows]
    return {"accountId": account.id, "list": snippets, "notFound": missing or None}


def _pattern(tree: Filter | None, criteria: frozenset[Criterion]) -> re.Pattern[str] | None:
    words = sorted({word for word in _words(tree, criteria) if word.strip()}, key=len, reverse=True)
    return re.compile("|".join(map(re.escape, words[:MAX_WORDS])), re.IGNORECASE) if words else None


def _words(tree: Filter | None, criteria: frozenset[Criterion]) -> Iterator[str]:
    """What has to be there; not what must not be."""
    if tree is None:
        return
    if isinstance(tree, Condition):
        if tree.criterion in criteria:
            yield str(tree.value)
    elif tree.logic is not Logic.NOT:
        for condition in tree.conditions:
            yield from _words(condition, criteria)


async def _preview(account: Account, message: str, pattern: re.Pattern[str] | None) -> str | None:
    if pattern is None:
        return None
    try:
        text = (await account.backend.get_message(message, HtmlMode.NONE)).body.text or ""
    except NotFound:
        return None
    text = " ".join(text[:MAX_TEXT].split())
    found = pattern.search(text)
    if found is None:
        return None
    start = max(0, found.start() - _BEFORE)
    return _marked(text[start : max(found.end(), start + _LONG)], pattern)


def _marked(text: str, pattern: re.Pattern[str] | None) -> str | None:
    """HTML with the words marked; None if there are none."""
    if pattern is None or not pattern.search(text):
        return None
    pieces, end = [], 0
    for match in pattern.finditer(text):
        pieces += [escape(text[end : match.start()]), "<mark>", escape(match[0]), "</mark>"]
        end = match.end()
    return "".join([*pieces, escape(text[end:])])

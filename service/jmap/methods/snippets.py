"""SearchSnippet/get (RFC 8621, 5): the words of a search, marked in subject and text."""

from collections.abc import Iterator, Sequence
from html import escape
from typing import Any

from service.jmap.account.account import Account
from service.jmap.account.emails import read_rows
from service.jmap.core.arguments import Arguments
from service.jmap.core.errors import MethodError, invalid
from service.jmap.values.filters import read_filter
from service.mail.errors import InvalidRequest, NotFound
from service.mail.model import HtmlMode
from service.mail.search.filter import Condition, Criterion, Filter, Logic

MAX_EMAILS = 100
MAX_WORDS = 32
MAX_TEXT = 64 << 10
"""Characters of a text that are looked through."""
MAX_PREVIEW = 255
"""Octets of a preview, its marks and escapes included."""
MAX_BEFORE = 60
"""Octets of what comes before the first word."""
_SUBJECT = frozenset({Criterion.TEXT, Criterion.SUBJECT})
_BODY = frozenset({Criterion.TEXT, Criterion.BODY})


async def get(account: Account, arguments: Arguments) -> dict[str, Any]:
    """SearchSnippet/get."""
    account.require(arguments)
    ids = arguments.ids("emailIds")
    if ids is None:
        raise invalid("emailIds is required.")
    if len(ids) > MAX_EMAILS:
        raise MethodError("requestTooLarge", f"emailIds has more than {MAX_EMAILS} ids.")
    try:
        tree = read_filter(arguments.get("filter"))
    except InvalidRequest as error:
        raise MethodError("unsupportedFilter", error.detail) from None
    in_subject, in_body = (_sought(tree, criteria) for criteria in (_SUBJECT, _BODY))
    emails = [account.resolve(each) for each in ids]
    rows = await read_rows(account, emails)
    snippets = []
    for email in dict.fromkeys(emails):
        if email in rows:
            row = rows[email][0]
            snippets.append(
                {
                    "emailId": email,
                    "subject": _subject(row.get("subject") or "", in_subject),
                    "preview": await _preview(account, row["id"], in_body),
                }
            )
    missing = [email for email in dict.fromkeys(emails) if email not in rows]
    return {"accountId": account.id, "list": snippets, "notFound": missing or None}


def _sought(tree: Filter | None, criteria: frozenset[Criterion]) -> list[str]:
    words = {_folded(word) for word in _words(tree, criteria) if word.strip()}
    return sorted(words, key=len, reverse=True)[:MAX_WORDS]


def _folded(text: str) -> str:
    """In lower case, with as many characters as before."""
    folded = text.lower()
    if len(folded) == len(text):
        return folded
    return "".join(low if len(low := each.lower()) == 1 else each for each in text)


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


def _subject(text: str, words: Sequence[str]) -> str | None:
    spans = _found(_folded(text), words)
    return "".join(_shown(piece, is_found=each) for piece, each in _pieces(text, spans)) if spans else None


async def _preview(account: Account, message: str, words: Sequence[str]) -> str | None:
    if not words:
        return None
    try:
        text = (await account.backend.get_message(message, HtmlMode.NONE)).body.text or ""
    except NotFound:
        return None
    return excerpt(" ".join(text[:MAX_TEXT].split()), words)


def excerpt(text: str, words: Sequence[str]) -> str | None:
    """HTML of the first of the words, which are in lower case, and what is around it. None if there is none. At most
    ``MAX_PREVIEW`` octets: no character, escape or mark is divided."""
    folded = _folded(text)
    firsts = [at for word in words if (at := folded.find(word)) >= 0]
    if not firsts:
        return None
    start = min(firsts) - len(_ending(text[: min(firsts)][-MAX_BEFORE:]))
    end = start + MAX_PREVIEW
    spans = _found(folded[start : end + max(map(len, words))], words)
    pieces, left = list[str](), MAX_PREVIEW
    for piece, is_found in _pieces(text[start:end], spans):
        short = _beginning(piece, left - len(_shown("", is_found=is_found)))
        if short:
            pieces.append(_shown(short, is_found=is_found))
            left -= _octets(pieces[-1])
        if short != piece:
            break
    return "".join(pieces)


def _found(folded: str, words: Sequence[str]) -> list[tuple[int, int]]:
    """The places of the words, in order. Words that overlap or touch share one."""
    places = list[tuple[int, int]]()
    for word in words:
        at = folded.find(word)
        while at >= 0:
            places.append((at, at + len(word)))
            at = folded.find(word, at + len(word))
    joined = list[tuple[int, int]]()
    for start, end in sorted(places):
        if joined and start <= joined[-1][1]:
            joined[-1] = joined[-1][0], max(end, joined[-1][1])
        else:
            joined.append((start, end))
    return joined


def _pieces(text: str, places: Sequence[tuple[int, int]]) -> Iterator[tuple[str, bool]]:
    """The text in pieces, and whether each was found."""
    start = 0
    for begin, end in places:
        yield text[start:begin], False
        yield text[begin:end], True
        start = end
    yield text[start:], False


def _shown(text: str, *, is_found: bool) -> str:
    return f"<mark>{escape(text)}</mark>" if is_found else escape(text)


def _octets(text: str) -> int:
    return len(text.encode("utf-8", "replace"))


def _beginning(text: str, most: int) -> str:
    """The beginning of the text that takes at most ``most`` octets, escaped."""
    for at, each in enumerate(text):
        most -= _octets(escape(each))
        if most < 0:
            return text[:at]
    return text


def _ending(text: str) -> str:
    """The end of the text that takes at most ``MAX_BEFORE`` octets, escaped."""
    return _beginning(text[::-1], MAX_BEFORE)[::-1]

"""Writes a filter as a search of Gmail's web pages, for X-GM-RAW (X-GM-EXT-1).

Only what means the same in both is translated; the rest stays SEARCH keys, in the same command. Gmail compares whole
words, by SEARCH keys as well. So a condition on text is translated if its text is words, which are quoted: Gmail would
also find other forms of a word without quotes. Not translated are:

- text with signs, which Gmail ignores; addresses are words,
- ``to``: Gmail's also means Cc and Bcc,
- ``body`` and ``header``: Gmail has no such operator,
- flags, sizes and dates: SEARCH keys are exact, Gmail's have the account's time zone and round numbers.

``has:attachment`` narrows a search and never decides it: what an attachment is, is decided by the structure.
"""

import re

from service.adapters.imap.wire.arguments import Piece, string
from service.mail.search.filter import Condition, Criterion, Filter, Logic

RAW = "X-GM-RAW"
"""Disabled if the server refuses to search like this."""
_EVERYWHERE = "in:anywhere"
"""Without it Gmail leaves out spam and trash, whichever folder is selected."""
_FIELDS = {
    Criterion.TEXT: "",
    Criterion.FROM: "from:",
    Criterion.CC: "cc:",
    Criterion.BCC: "bcc:",
    Criterion.SUBJECT: "subject:",
}
_ADDRESSES = frozenset({Criterion.FROM, Criterion.CC, Criterion.BCC})
_WORDS = re.compile(r"[^\W_]+(?: [^\W_]+)*\Z")
_ADDRESS = re.compile(r"[A-Za-z0-9]+(?:[.+-][A-Za-z0-9]+)*@[A-Za-z0-9]+(?:[.-][A-Za-z0-9]+)*\Z")


def raw_query(tree: Filter) -> str | None:
    """The filter as Gmail's search syntax has it; None if it does not mean the same there. The tree's depth is bounded
    by the filter grammar."""
    return _query(tree, negated=False)


def raw_key(query: str) -> list[Piece]:
    """The search key of a query in Gmail's syntax."""
    return [RAW.encode(), string(f"{_EVERYWHERE} {query}")]


def _query(tree: Filter, *, negated: bool) -> str | None:
    """NOT is pushed down to the conditions: Gmail documents ``-`` before a term alone."""
    if isinstance(tree, Condition):
        return _term(tree, negated=negated)
    below = negated is not (tree.logic is Logic.NOT)
    queries = [_query(condition, negated=below) for condition in tree.conditions]
    terms = [query for query in queries if query is not None]
    if not terms or len(terms) < len(queries):
        return None
    if len(terms) == 1:
        return terms[0]
    is_either = negated is not (tree.logic is Logic.OR)
    return ("{%s}" if is_either else "(%s)") % " ".join(terms)


def _term(condition: Condition, *, negated: bool) -> str | None:
    criterion, value = condition.criterion, condition.value
    if criterion is Criterion.HAS_ATTACHMENT:
        return "has:attachment" if value is True and not negated else None
    if criterion not in _FIELDS or not isinstance(value, str) or not _means_the_same(criterion, value):
        return None
    return f'{"-" if negated else ""}{_FIELDS[criterion]}"{value}"'


def _means_the_same(criterion: Criterion, text: str) -> bool:
    return _WORDS.match(text) is not None or (criterion in _ADDRESSES and _ADDRESS.match(text) is not None)

"""The table that explains the search box."""

from typing import NamedTuple


class Help(NamedTuple):
    """A row of the table that explains the search box. Names are alternatives to ``field``."""

    field: str
    names: tuple[str, ...]
    meaning: str
    example: str


HELP: tuple[Help, ...] = (
    Help("text", (), "Anywhere in headers or body. What has no field is looked for like this.", 'invoice "due date"'),
    Help("from", (), "The sender's name or address.", "from:anna"),
    Help("to", (), "A recipient's name or address.", "to:bob@example.org"),
    Help("cc", (), "A recipient of a copy.", "cc:bob"),
    Help("bcc", (), "A recipient of a blind copy, if the message has it.", "bcc:carol"),
    Help("subject", (), "The subject. Any text field takes several words in parentheses.", "subject:(invoice or bill)"),
    Help("body", (), "What a person reads of the message.", 'body:"kind regards"'),
    Help("header", (), "Any header field by name; without a text, whether it is there.", "header:X-Mailer:mutt"),
    Help("list", (), "The mailing list, by its List-Id.", "list:announce.example.org"),
    Help(
        "is",
        (),
        "One of read, unread, flagged, unflagged, answered, unanswered, draft, deleted; seen, unseen, starred and "
        "unstarred mean the same.",
        "is:unread",
    ),
    Help("has", (), "`attachment` is all it can be.", "has:attachment"),
    Help("keyword", ("tag", "label", "hasKeyword"), "A keyword of the message.", "tag:$forwarded"),
    Help(
        "since",
        ("after", "newer", "newer_than"),
        "Received on that day or later. A day is a date, `today`, `yesterday` or an age in days, weeks, months or "
        "years (7d, 2w, 3m, 1y); a moment such as 2026-01-31T08:00:00Z is taken as well.",
        "after:2026-01-31",
    ),
    Help("before", ("older", "older_than"), "Received before that day, or that moment.", "older_than:1y"),
    Help("on", ("date",), "Received on that day.", "on:yesterday"),
    Help("sentSince", ("sent-after",), "The Date header is of that day or later.", "sent-after:2026-01-31"),
    Help("sentBefore", ("sent-before",), "The Date header is of an earlier day.", "sent-before:2w"),
    Help("larger", ("minSize",), "Octets, at least; K, M and G are powers of 1024.", "larger:5M"),
    Help("smaller", ("maxSize",), "Octets, fewer than.", "smaller:10K"),
    Help("size", (), "Octets by comparison: >, >=, < or <=; a mere number is as with larger.", "size:>1.5M"),
    Help("in", ("folder",), "The folder, by role or id. `spam` is junk and `bin` is trash.", "in:archive"),
)
"""From which the documentation is made; a test holds it against the fields there are."""

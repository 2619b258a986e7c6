"""Replies and forwards as drafts. What the client gives replaces what is made here."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from service.mail.model import Header, Message
from service.mail.submission.model import MAX_ATTACHMENTS, Attachment, NewDraft
from service.submission.replies.quotes import Quote, forward_quote, reply_quote
from service.submission.replies.recipients import Recipients, reply_recipients, without
from service.submission.replies.references import files, pictures, whole
from service.submission.replies.subjects import forward_subject, reply_subject

_BODY = {"text", "html"}
_ADDRESSED = {"to", "cc", "bcc"}


def reply(
    original: Message,
    *,
    all: bool,  # noqa: A002 - named as in the API
    own: Collection[str],
    given: NewDraft,
    headers: Sequence[Header] = (),
) -> NewDraft:
    """``original`` has sanitized HTML. ``headers`` are those of the original: Mail-Followup-To and List-Post count.
    ``own`` are the addresses of the user, aliases too. A part of the body that is given replaces the other one too,
    which would say something else; recipients that are given are not repeated in the other fields.
    ``threads.reply_thread`` has the fields that make the thread."""
    recipients = reply_recipients(original, headers, all=all, own=own)
    made: dict[str, Any] = recipients._asdict()
    made |= {"subject": reply_subject(original.subject), "in_reply_to": original.id}
    return _joined(original, made | _body(reply_quote(original), given), given)


def forward(original: Message, *, as_attachment: bool, given: NewDraft) -> NewDraft:
    """Without recipients. The original's attachments, or the whole original, are in it by reference."""
    made: dict[str, Any] = {"subject": forward_subject(original.subject)}
    if as_attachment:
        return _joined(original, made | {"attachments": (whole(original),)}, given)
    made |= _body(forward_quote(original), given)
    shown = pictures(original, given.html if "html" in given.model_fields_set else made.get("html"))
    return _joined(original, made | {"attachments": files(original, shown)}, given)


def _body(quote: Quote, given: NewDraft) -> dict[str, Any]:
    return {} if given.model_fields_set & _BODY else quote._asdict()


def _joined(original: Message, made: Mapping[str, Any], given: NewDraft) -> NewDraft:
    """Pictures that the resulting HTML shows are part of it, also if other attachments are given."""
    fields = given.given
    taken = [address for name in _ADDRESSED & fields.keys() for address in fields[name]]
    rest = without(Recipients(*(made.get(name, ()) for name in Recipients._fields)), taken)
    merged = dict(made) | rest._asdict() | fields
    attachments: tuple[Attachment, ...] = merged.get("attachments", ())
    cids = {each.cid for each in attachments}
    shown = [each for each in pictures(original, merged.get("html")) if each.cid not in cids]
    merged["attachments"] = (*shown[: max(0, MAX_ATTACHMENTS - len(attachments))], *attachments)
    return NewDraft(**merged)

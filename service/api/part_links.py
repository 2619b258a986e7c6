"""Links that an image tag can follow: a part of one message, open for some minutes to who has the link."""

import re
from collections.abc import Iterator
from urllib.parse import unquote

from fastapi import Request

from service.api.deps import credentials_of, service_of, session_of
from service.mail.model import Message, Part

MAX_LINKS = 100
_CID = re.compile(r'(?<= src=")cid:([^"]{1,1000})(?=")', re.IGNORECASE)
_ESCAPED = {"&amp;": "&", "&quot;": '"', "&lt;": "<", "&gt;": ">"}
_REFERENCE = re.compile("|".join(_ESCAPED))


def with_links(request: Request, message: Message) -> Message:
    """Its HTML with each ``cid:`` image of its own made a link. What names no part of it stays as it is, and loads
    nothing."""
    html = message.body.html
    if html is None or "cid:" not in html.lower():
        return message
    parts = {part.cid: part.id for part in _parts(message.structure) if part.cid}
    links: dict[str, str] = {}

    def link(found: re.Match[str]) -> str:
        cid = _REFERENCE.sub(lambda one: _ESCAPED[one[0]], found[1])
        part = parts.get(cid) or parts.get(unquote(cid))  # RFC 2392
        if part is None or (part not in links and len(links) >= MAX_LINKS):
            return found[0]
        if part not in links:
            links[part] = part_link(request, message.id, part)
        return links[part].replace("&", "&amp;")

    body = message.body.model_copy(update={"html": _CID.sub(link, html)})
    return message.model_copy(update={"body": body})


def part_link(request: Request, message: str, part: str) -> str:
    """With a ticket for this part of this message and nothing else."""
    service = service_of(request)
    ticket = service.sessions.seal_part_link(credentials_of(request), message, part, of=session_of(request))
    root = service.public_url or str(request.base_url).rstrip("/")
    return f"{root}/v1/accounts/me/messages/{message}/parts/{part}?inline=true&ticket={ticket}"


def _parts(structure: Part) -> Iterator[Part]:
    pending = [structure]
    while pending:
        part = pending.pop()
        yield part
        pending.extend(part.parts or ())

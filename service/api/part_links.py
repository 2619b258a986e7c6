"""Links to parts of a message for image tags and downloads. They contain a ticket and work without a sign-in until the
day is over."""

import re
from urllib.parse import quote, unquote

from fastapi import Request

from service.api.deps import credentials_of, service_of, session_of
from service.mail.model import Message

MAX_LINKS = 100
_CID = re.compile(r'(?<= src=")cid:([^"]{1,1000})(?=")', re.IGNORECASE)
_ESCAPED = {"&amp;": "&", "&quot;": '"', "&lt;": "<", "&gt;": ">"}
_REFERENCE = re.compile("|".join(_ESCAPED))


def with_links(request: Request, message: Message) -> Message:
    """The message, with each ``cid:`` image in its HTML that names one of its parts replaced by a link (RFC 2392).
    Other ``cid:`` URLs stay as they are; they load nothing."""
    html = message.body.html
    if html is None or "cid:" not in html.lower():
        return message
    parts = {part.cid: part.id for part in message.structure.walk() if part.cid}
    links: dict[str, str] = {}

    def link(match: re.Match[str]) -> str:
        cid = _REFERENCE.sub(lambda escaped: _ESCAPED[escaped[0]], match[1])
        part = parts.get(cid) or parts.get(unquote(cid))
        if part is None or (part not in links and len(links) >= MAX_LINKS):
            return match[0]
        if part not in links:
            links[part] = part_link(request, message.id, part, inline=True)
        return links[part].replace("&", "&amp;")

    body = message.body.model_copy(update={"html": _CID.sub(link, html)})
    return message.model_copy(update={"body": body})


def part_link(request: Request, message: str, part: str, *, inline: bool) -> str:
    """A URL whose ticket is valid for this part of this message only."""
    service = service_of(request)
    ticket = service.sessions.seal_part_link(credentials_of(request), message, part, of=session_of(request))
    root = service.public_url or str(request.base_url).rstrip("/")
    way = "inline=true&" if inline else ""
    return f"{root}/v1/accounts/me/messages/{quote(message)}/parts/{quote(part)}?{way}ticket={ticket}"

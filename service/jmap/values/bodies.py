"""The body of a message as RFC 8621, 4.1.4 sees it: a tree of parts, and lists of those that people read."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from service.jmap.core.errors import invalid
from service.jmap.values.headers import HeaderReader, raw, read_property
from service.mail.mime.charset import decode_text, html_charset
from service.mail.mime.headers.fields import list_headers
from service.mail.mime.headers.words import decode_words
from service.mail.mime.structure import Entity, parse
from service.mail.mime.transfer.decoding import decode, is_identity
from service.mail.model import Header, Message, Part

PROPERTIES = frozenset(
    {"partId", "blobId", "size", "headers", "name", "type", "charset", "disposition", "cid", "language", "location"}
    | {"subParts"}
)
DEFAULT_PROPERTIES = (
    *("partId", "blobId", "size", "name", "type", "charset", "disposition", "cid", "language", "location"),
)
MAX_PROPERTIES = 24
MAX_VALUE = 8 << 20
"""Octets of the text of a part that is returned; longer ones are cut."""
SHORT = 64 << 10
"""Octets that are parsed at once; more in a thread."""
_SHOWN_INLINE = ("image/", "audio/", "video/")
Octets = Callable[[], Awaitable[bytes]]


@dataclass(slots=True)
class Node:
    """A part. ``octets`` reads its content, decoded; a multipart has none."""

    part: Part
    headers: Sequence[Header] = ()
    size: int = 0
    octets: Octets | None = None
    children: Sequence["Node"] = ()
    blob: str | None = None

    @property
    def is_multipart(self) -> bool:
        return self.part.type.startswith("multipart/")

    def walk(self) -> Iterator["Node"]:
        """This part and all below it, in order."""
        pending = [self]
        while pending:
            node = pending.pop()
            yield node
            pending.extend(reversed(node.children))


@dataclass(slots=True)
class Body:
    """The parts of a message as RFC 8621 sorts them."""

    root: Node
    text: list[Node] = field(default_factory=list)
    html: list[Node] = field(default_factory=list)
    attachments: list[Node] = field(default_factory=list)

    def __post_init__(self) -> None:
        _sort([self.root], "mixed", _Lists(self.attachments, self.text, self.html), in_alternative=False)

    @property
    def has_attachment(self) -> bool:
        """Whether one of them is more than a picture of the text."""
        return any(
            node.part.disposition == "attachment" or not (node.part.cid and node.part.type.startswith("image/"))
            for node in self.attachments
        )


async def parsed_body(source: bytes) -> Body:
    """The body of a complete message."""
    if len(source) <= SHORT:
        return _parsed(source)
    return await asyncio.to_thread(_parsed, source)


def _parsed(source: bytes) -> Body:
    return Body(_node(source, parse(source)))


def _node(source: bytes, entity: Entity) -> Node:
    """The tree is at most 100 levels deep. An attached message is one part."""
    headers = list_headers(source[entity.header_start : entity.body_start])
    if entity.part.type.startswith("multipart/"):
        children = tuple(_node(source, child) for child in entity.children)
        return Node(entity.part, headers, children=children)
    content = decode(source[entity.body_start : entity.stop], entity.part.encoding)

    async def octets() -> bytes:
        return content

    return Node(entity.part, headers, len(content), octets)


def described_body(message: Message, headers: Sequence[Header], read: Callable[[Part], Awaitable[bytes]]) -> Body:
    """The body of a message that is too large to be read whole. Its parts are known without their headers, and the size
    of what is encoded is computed."""
    root = _from_part(message.structure, read)
    root.headers = headers
    return Body(root)


def _from_part(part: Part, read: Callable[[Part], Awaitable[bytes]]) -> Node:
    if part.type.startswith("multipart/"):
        return Node(part, children=tuple(_from_part(child, read) for child in part.parts or ()))

    async def octets() -> bytes:
        return await read(part)

    return Node(part, size=_computed(part), octets=octets)


def _computed(part: Part) -> int:
    """Exact for what is not encoded, and for base64 in lines of 76."""
    stored = part.size or 0
    if is_identity(part.encoding):
        return stored
    return stored // 78 * 57 + stored % 78 * 3 // 4 if part.encoding == "base64" else stored


class _Lists(NamedTuple):
    """The lists that parts are sorted into. None: nothing below is put there."""

    rest: list[Node]
    text: list[Node] | None
    html: list[Node] | None

    def put(self, node: Node) -> None:
        """Into both lists that are there; a picture that is missing in one of them is an attachment too."""
        for each in (self.text, self.html):
            if each is not None:
                each.append(node)
        if (self.text is None or self.html is None) and _is_media(node.part.type):
            self.rest.append(node)

    def put_alternative(self, node: Node) -> None:
        """Into the list of its kind."""
        lists = {"text/plain": self.text, "text/html": self.html}
        kind = lists.get(node.part.type)
        (self.rest if kind is None else kind).append(node)


def _sort(parts: Sequence[Node], kind: str, lists: _Lists, *, in_alternative: bool) -> None:
    """The algorithm of RFC 8621, 4.1.4. The tree is at most 100 levels deep."""
    before = [len(each or ()) for each in (lists.text, lists.html)]
    for number, node in enumerate(parts):
        if node.is_multipart:
            subtype = node.part.type.removeprefix("multipart/")
            _sort(node.children, subtype, lists, in_alternative=in_alternative or subtype == "alternative")
        elif not _is_inline(node.part, kind, is_first=number == 0):
            lists.rest.append(node)
        elif kind == "alternative":
            lists.put_alternative(node)
        else:
            if in_alternative:
                lists = _narrowed(lists, node.part.type)
            lists.put(node)
    if kind == "alternative" and lists.text is not None and lists.html is not None:
        _fill(lists.text, lists.html, *before)


def _narrowed(lists: _Lists, kind: str) -> _Lists:
    """Within an alternative, what follows a text of one kind belongs to that one."""
    if kind == "text/plain":
        return lists._replace(html=None)
    return lists._replace(text=None) if kind == "text/html" else lists


def _fill(text: list[Node], html: list[Node], texts: int, htmls: int) -> None:
    """An alternative of one kind stands for the other too."""
    if len(text) == texts and len(html) > htmls:
        text += html[htmls:]
    elif len(html) == htmls and len(text) > texts:
        html += text[texts:]


def _is_inline(part: Part, kind: str, *, is_first: bool) -> bool:
    if part.disposition == "attachment" or not _is_shown(part.type):
        return False
    return is_first or (kind != "related" and (_is_media(part.type) or not part.name))


def _is_media(kind: str) -> bool:
    return kind.startswith(_SHOWN_INLINE)


def _is_shown(kind: str) -> bool:
    return kind in {"text/plain", "text/html"} or _is_media(kind)


def check_properties(properties: Sequence[str]) -> None:
    """Raises invalidArguments for a property that no part has."""
    if len(properties) > MAX_PROPERTIES:
        raise invalid(f"At most {MAX_PROPERTIES} properties of a body part can be asked for.")
    for name in properties:
        if name.startswith("header:"):
            read_property(name)
        elif name not in PROPERTIES:
            raise invalid(f"A body part has no property {name[:100]}.")


def described(node: Node, properties: Sequence[str]) -> dict[str, Any]:
    """An EmailBodyPart; with the parts below it if ``subParts`` is among the properties."""
    reader = HeaderReader(node.headers)
    return {
        name: reader.value(read_property(name)) if name.startswith("header:") else _property(node, name, properties)
        for name in properties
        if name != "subParts" or node.is_multipart
    }


def _property(node: Node, name: str, properties: Sequence[str]) -> Any:
    if name == "subParts":
        return [described(child, properties) for child in node.children]
    part = node.part
    match name:
        case "partId":
            return None if node.is_multipart else part.id
        case "blobId":
            return node.blob
        case "size":
            return node.size
        case "headers":
            return [{"name": header.name, "value": raw(header)} for header in node.headers]
        case "language":
            return list(part.language) if part.language else None
        case "location":
            return next((_words(each) for each in node.headers if each.name.lower() == "content-location"), None)
        case _:
            return getattr(part, name)


def _words(header: Header) -> str:
    return decode_words(header.raw.encode("latin-1", "replace"))


async def body_value(node: Node, most: int) -> dict[str, Any]:
    """An EmailBodyValue; at most ``most`` octets of text, zero for all."""
    assert node.octets is not None
    octets = await node.octets()
    is_html = node.part.type == "text/html"
    limit = min(most or MAX_VALUE, MAX_VALUE)
    if len(octets) <= SHORT:
        return _decoded(octets, node.part.charset, limit, is_html=is_html)
    return await asyncio.to_thread(_decoded, octets, node.part.charset, limit, is_html=is_html)


def _decoded(octets: bytes, charset: str | None, limit: int, *, is_html: bool) -> dict[str, Any]:
    decoded = decode_text(octets, html_charset(octets, charset) if is_html else charset)
    text = decoded.text.replace("\r\n", "\n")
    cut = cut_text(text, limit, is_html=is_html)
    return {"value": cut, "isEncodingProblem": bool(decoded.problem), "isTruncated": len(cut) < len(text)}


def cut_text(text: str, limit: int, *, is_html: bool) -> str:
    """At most ``limit`` octets of UTF-8: no character is divided, nor a tag of HTML."""
    octets = text.encode("utf-8", "surrogatepass")
    if len(octets) <= limit:
        return text
    cut = octets[:limit].decode("utf-8", "ignore")
    if is_html and cut.rfind("<") > cut.rfind(">"):
        cut = cut[: cut.rfind("<")]
    return cut

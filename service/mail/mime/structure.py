"""The tree of a message (RFC 2046), found in one pass over its delimiter lines and kept as offsets into the source.

A line belongs to the innermost open multipart whose boundary it names in full. At most 100 levels and 1,000 parts are
opened; what lies deeper stays an unread leaf.
"""

import re
from dataclasses import dataclass, field

from service.mail.mime.charset import is_hint
from service.mail.mime.headers.fields import MAX_BLOCK, split_headers, text_behind
from service.mail.mime.parts import Declared, declare, make_part
from service.mail.mime.transfer.decoding import is_identity
from service.mail.mime.transfer.delimiters import MAX_BOUNDARY, next_blank, next_delimiter
from service.mail.model import Part

MAX_DEPTH = 100
MAX_PARTS = 1000

_FIELD = rb"[^\s:\0-\x20\x7f]{1,998}[ \t]*:"
_FIELD_START = re.compile(rb"(?:>?From [^\n]*\n)?" + _FIELD)
_ANY_FIELD = re.compile(rb"^" + _FIELD, re.MULTILINE)
_MESSAGES = {"message/rfc822", "message/global"}


@dataclass(frozen=True, slots=True)
class Entity:
    """A part and its position: its header from ``header_start``, its stored body from ``body_start`` to ``stop``.

    ``is_truncated`` of the root says that a limit cut the tree.
    """

    part: Part
    header_start: int
    body_start: int
    stop: int
    children: tuple["Entity", ...] = ()
    is_truncated: bool = False


@dataclass(slots=True)
class _Open:
    """An entity whose end is not known yet."""

    id: str
    header_start: int
    body_start: int
    declared: Declared
    boundary: bytes = b""
    """Empty if the entity is not read as a multipart."""
    count: int = 0
    children: list[Entity] = field(default_factory=list)


def parse(source: bytes) -> Entity:
    """The whole tree. Never fails: what is not understood is text without structure."""
    return _Parse(source).run()


def find(entity: Entity, part_id: str) -> Entity | None:
    """The entity of that id."""
    pending = [entity]
    while pending:
        each = pending.pop()
        if each.part.id == part_id:
            return each
        pending.extend(each.children)
    return None


class _Parse:
    def __init__(self, source: bytes) -> None:
        self._source = source
        self._stack: list[_Open] = []
        self._boundaries: dict[bytes, list[int]] = {}
        """The open multiparts of each boundary, by their place in the stack."""
        self._blank: tuple[int, int] = (-1, 0)
        self._charset: str | None = None
        """What the first text declares, for names that are in no charset of their own."""
        self._parts = 0
        self._is_truncated = False
        self._root: Entity | None = None

    def run(self) -> Entity:
        self._open_message(0, "", "text/plain")
        at = 0
        while (delimiter := next_delimiter(self._source, at, len(self._source), self._boundaries)) is not None:
            if not self._delimit(*delimiter):
                break
            at = delimiter.stop
        self._close(0, len(self._source))
        assert self._root is not None
        return self._root

    def _delimit(self, start: int, stop: int, line: bytes) -> bool:
        """Close what the delimiter ends and open what it begins; False once the limit of parts is reached."""
        is_end = line not in self._boundaries
        boundary = line.removesuffix(b"--") if is_end else line
        at = self._boundaries[boundary][-1]
        self._close(at + 1, self._line_end_before(start))
        parent = self._stack[at]
        if is_end:
            self._forget(boundary)
        if is_end or stop == len(self._source):
            return True
        if self._parts >= MAX_PARTS:
            self._is_truncated = True
            return False
        parent.count += 1
        prefix = "" if parent.id == "0" else parent.id.removesuffix(".0") + "."
        default = "message/rfc822" if parent.declared.type == "multipart/digest" else "text/plain"
        self._open(stop, f"{prefix}{parent.count}", default)
        return True

    def _line_end_before(self, start: int) -> int:
        """The line break before a delimiter is part of it (RFC 2046, 5.1.1)."""
        if start and self._source[start - 1 : start] == b"\n":
            start -= 1
        return start - 1 if start and self._source[start - 1 : start] == b"\r" else start

    def _forget(self, boundary: bytes) -> None:
        places = self._boundaries[boundary]
        places.pop()
        if not places:
            del self._boundaries[boundary]

    def _open_message(self, start: int, above: str, default: str) -> None:
        """The root of the source, or of the message that is part ``above``; its id depends on its own type."""
        self._open(start, f"{above}.1" if above else "1", default, f"{above}.0" if above else "0")

    def _open(self, start: int, part_id: str, default: str, multipart_id: str | None = None) -> None:
        while True:
            opened = self._begin(start, part_id, default, is_message=multipart_id is not None)
            self._parts += 1
            self._stack.append(opened)
            declared, is_multipart = opened.declared, bool(opened.boundary)
            if multipart_id and declared.type.startswith("multipart/"):
                opened.id = multipart_id
            if not is_multipart and not (declared.type in _MESSAGES and is_identity(declared.encoding)):
                return
            if len(self._stack) > MAX_DEPTH or self._parts >= MAX_PARTS:
                self._is_truncated, opened.boundary = True, b""
                return
            if is_multipart:
                self._boundaries.setdefault(opened.boundary, []).append(len(self._stack) - 1)
                return
            start, default = opened.body_start, "text/plain"
            part_id, multipart_id = f"{opened.id}.1", f"{opened.id}.0"

    def _begin(self, start: int, part_id: str, default: str, *, is_message: bool) -> _Open:
        end, body_start = self._header_end(start, is_message=is_message)
        headers = split_headers(self._source[start : min(end, start + MAX_BLOCK)])
        declared = declare(headers, default, self._charset)
        if self._charset is None and declared.type.startswith("text/") and is_hint(declared.charset):
            self._charset = declared.charset
        boundary = declared.boundary if declared.type.startswith("multipart/") else b""
        if len(boundary) > MAX_BOUNDARY:
            self._is_truncated, boundary = True, b""
        return _Open(part_id, start, body_start, declared, boundary)

    def _header_end(self, start: int, *, is_message: bool) -> tuple[int, int]:
        """End of the header and start of the body: at the first empty line, or at a delimiter that comes before it. A
        part that does not begin with a field has no header, and without an empty line text may follow its fields. A
        message may begin with other lines, as servers read it (RFC 1939, 7: what TOP sends of it), as long as fields
        follow."""
        source = self._source
        for line_end in (b"\n", b"\r\n"):
            if source.startswith(line_end, start):
                return start, start + len(line_end)
        is_field = _FIELD_START.match(source, start) is not None
        if not is_field and not is_message:
            return start, start
        if self._blank[0] < start:
            self._blank = next_blank(source, start)
        end, body_start = self._blank
        if not is_field and _ANY_FIELD.search(source, start, min(end, start + MAX_BLOCK)) is None:
            return start, start
        cut = next_delimiter(source, start, end, self._boundaries)
        if cut is None:
            return end, body_start
        stop = cut.start if is_message else text_behind(source, start, cut.start)
        return stop, stop

    def _close(self, down_to: int, stop: int) -> None:
        """Close the entities above that place of the stack: their content ends here."""
        while len(self._stack) > down_to:
            opened = self._stack.pop()
            places = self._boundaries.get(opened.boundary)
            if places and places[-1] == len(self._stack):
                self._forget(opened.boundary)
            entity = self._finish(opened, max(stop, opened.body_start))
            if self._stack:
                self._stack[-1].children.append(entity)
            else:
                self._root = entity

    def _finish(self, opened: _Open, stop: int) -> Entity:
        children = tuple(opened.children)
        size = None if opened.boundary else stop - opened.body_start
        part = make_part(opened.id, opened.declared, size, tuple(child.part for child in children))
        cut = self._is_truncated and not self._stack
        return Entity(part, opened.header_start, opened.body_start, stop, children, cut)

"""The whole network of the tests' browser: one listener that every host name leads to, and that remembers who asked."""

import asyncio
import re
from types import TracebackType
from typing import NamedTuple, Self

from tests.servers.visits import Visits

HOME = "mail.example.org"
_REQUEST = re.compile(rb"[A-Z]+ (\S+) HTTP/1\.1\r\n")
_HOST = re.compile(rb"^host: *([^\r\n:]*)", re.IGNORECASE | re.MULTILINE)
_NAME = re.compile(rb"[a-z0-9.-]+\.example\.(?:net|org|com)")
_ANSWERS = {
    "js": ("text/javascript", "ran(%s)"),
    "css": ("text/css", "p{}"),
    "html": ("text/html", "<script>ran(%s)</script>"),
    "png": ("image/svg+xml", "<svg xmlns='http://www.w3.org/2000/svg' width='1' height='1'/>"),
}


class Page(NamedTuple):
    """What is served at a path of ``HOME``."""

    html: str
    type: str = "text/html; charset=utf-8"


class Sink:
    """``pages`` are served under ``HOME``; ``hosts`` are all others that were asked, by HTTP or by a TLS greeting."""

    def __init__(self) -> None:
        self.pages: dict[str, Page] = {}
        self.hosts: set[str] = set()
        self._visits = Visits(self._serve)

    @property
    def port(self) -> int:
        return self._visits.port

    async def __aenter__(self) -> Self:
        await self._visits.__aenter__()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None
    ) -> None:
        await self._visits.__aexit__(kind, error, at)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while (head := await reader.read(65536)) and await self._answer(head, writer):
            pass

    async def _answer(self, head: bytes, writer: asyncio.StreamWriter) -> bool:
        """Whether the connection goes on. A request of a browser's test fits one packet of the loopback."""
        request = _REQUEST.match(head)
        if request is None:
            self.hosts.update(name.decode() for name in _NAME.findall(head))
            return False
        host = _HOST.search(head)
        page = self._page(host[1].decode() if host else "", request[1].decode())
        octets = page.html.encode("utf-8", "replace")
        about = f"HTTP/1.1 200 OK\r\nContent-Type: {page.type}\r\nContent-Length: {len(octets)}\r\n"
        writer.write(f"{about}Access-Control-Allow-Origin: *\r\nCache-Control: no-store\r\n\r\n".encode() + octets)
        await writer.drain()
        return True

    def _page(self, host: str, path: str) -> Page:
        if host == HOME:
            return self.pages.get(path, Page(""))
        self.hosts.add(host)
        kind, text = _ANSWERS.get(path.rpartition(".")[2], ("text/plain", ""))
        return Page(text.replace("%s", host[1:].partition(".")[0]), kind)

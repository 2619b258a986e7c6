"""Parts of hostile mail opened in a real browser, straight from the service."""

import asyncio
import re
from base64 import b64encode
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from itertools import count, product
from secrets import token_urlsafe
from socket import create_server
from threading import Thread
from typing import NamedTuple

import pytest
import uvicorn
from playwright.async_api import Browser, Download, Page
from playwright.async_api import Error as BrowserError

from service.accounts.live import Accounts
from service.app import create_app
from service.settings.model import ImapSettings, ServerSettings, Settings
from tests.browser.sink import HOME, Sink
from tests.browser.sink import Page as Served
from tests.memory import MemoryBackend

pytestmark = pytest.mark.asyncio(loop_scope="session")
USER = "user@example.org"
_LOGIN = {"Authorization": f"Basic {b64encode(f'{USER}:secret'.encode()).decode()}"}
_HOSTS = (f"v{number}.example.net" for number in count(900_001))
_RAN = "<script>told(1)</script><img src='x:' onerror='told(1)'/><img src='http://HOST/a.png'/>"
_SVG = "<svg xmlns='http://www.w3.org/2000/svg' onload='told(1)'><script>told(1)</script><image href='http://HOST/a.png'/></svg>"
_XHTML = f"<html xmlns='http://www.w3.org/1999/xhtml'><body onload='told(1)'>{_RAN}</body></html>"
_XML = "<?xml version='1.0'?><a xmlns:h='http://www.w3.org/1999/xhtml'><h:script>told(1)</h:script><h:img src='http://HOST/a.png'/></a>"
_XSLT = (
    "<?xml version='1.0'?><?xml-stylesheet type='text/xsl' href='#s'?><x><xsl:stylesheet id='s' version='1.0' "
    "xmlns:xsl='http://www.w3.org/1999/XSL/Transform'><xsl:template match='/'><html><script>told(1)</script></html>"
    "</xsl:template></xsl:stylesheet><h:script xmlns:h='http://www.w3.org/1999/xhtml'>told(1)</h:script></x>"
)
_PDF = "%PDF-1.7\n1 0 obj<</Type/Catalog/Pages 2 0 R/OpenAction<</S/JavaScript/JS(app.alert(1))>>>>endobj\n2 0 obj<</Type/Pages/Kids[]/Count 0>>endobj\ntrailer<</Root 1 0 R>>"
_MHTML = f"MIME-Version: 1.0\r\nContent-Type: multipart/related; boundary=m\r\n\r\n--m\r\nContent-Type: text/html\r\n\r\n{_RAN}\r\n--m--\r\n"


class Case(NamedTuple):
    """``shown``: with ``inline=true`` it is shown in place."""

    type: str
    content: str
    shown: bool = False


CASES = (
    Case("text/html", _RAN), Case("TEXT/HTML; charset=utf-7", _RAN), Case("text/html;;", _RAN), Case("image/svg+xml", _SVG),
    Case("application/xhtml+xml", _XHTML), Case("text/xml", _XSLT), Case("application/xml", _XML), Case("text/xsl", _XSLT),
    Case("application/xslt+xml", _XSLT), Case("application/rss+xml", _XML), Case("application/mathml+xml", _XHTML),
    Case("application/pdf", _PDF), Case("application/javascript", "told(1)"), Case("text/javascript", "told(1)"),
    Case("application/x-shockwave-flash", "FWS\x09"), Case("application/octet-stream", _RAN), Case("application/x-unknown", _RAN),
    Case("unknown/unknown", _RAN), Case("*/*", _RAN), Case("html", _RAN, True), Case("", _RAN, True), Case("text/", _RAN, True), Case("text/css", _RAN),
    Case("text/vnd.example", _RAN), Case("text/calendar", _RAN), Case("text/csv", _RAN), Case("application/json", _RAN),
    Case("multipart/x-mixed-replace; boundary=m", _MHTML), Case("multipart/related; boundary=m", _MHTML.partition("\r\n\r\n")[2]),
    Case("message/rfc822", _MHTML), Case("application/x-mimearchive", _MHTML), Case("message/external-body", _RAN),
    Case("application/java-archive", _RAN), Case("application/manifest+json", "{}"), Case("image/svg", _SVG),
    Case("image/x-icon", _RAN), Case("image/png", _RAN, True), Case("image/gif", f"GIF89a{_RAN}", True), Case("image/jpeg", _SVG, True),
    Case("text/plain", _RAN, True), Case("text/plain; charset=utf-7", "+ADw-script+AD4-told(1)+ADw-/script+AD4-", True),
    Case("text/plain; charset=utf-16le", _RAN, True), Case("audio/mpeg", _RAN, True), Case("video/mp4", _RAN, True),
)  # fmt: skip

_LONG = "x" * 10_000
NAMES = (
    b'"a\\"; filename=\\"b.html"', b"\"a\\\\b\\\"c.exe\"", b"\"a\r\n\tb.pdf\"", b"\"a\r\n X-Header: b.pdf\"", b"*=utf-8''a%0D%0AX-Header%3A%20b.pdf",
    b"\"=?utf-8?B?YQ0KU2V0LUNvb2tpZTogYT1iDQoNCjxodG1sPg==?=\"", b'"../../../../etc/passwd"', b'"..\\\\..\\\\autorun.inf"',
    b'"/etc/passwd"', b'"C:\\\\Windows\\\\System32\\\\evil.exe"', b'"C:evil.exe"', b'"\\\\\\\\example.org\\\\share\\\\evil.exe"', b"*=utf-8''..%2F..%2Fa.sh",
    b"*=utf-8''%2E%2E", b'"a\0b.html"', b"*=utf-8''a%00.html%00.png", "\"annual\u202efdp.exe\"".encode(), b"*=utf-8''annual%E2%80%AEfdp.exe",
    "\"a\u200b\u2066\ufeff\u2028b.pdf\"".encode(), f'"{_LONG}.pdf"'.encode(), f"*=utf-8''{'%F0%9F%92%8C' * 2000}.pdf".encode(),
    "\"\U0001f48c\U0001f468\u200d\U0001f469\u200d\U0001f467.png\"".encode(), b'""', b'" "', b'"."', b'".."', b'"..."', b'".htaccess"',
    b'"~"', b'"~/.bashrc"', b'"-rf"', b'"CON"', b'"nul.txt"', b'"com1.pdf.exe"', b'"a.pdf "', b'"a.pdf."', b'"a.pdf                    .exe"',
    b'"file.txt:stream.exe"', b'"desktop.ini"', b'"<script>alert(1)</script>.html"', b'"a.html?b#c%2e"', b'"%2e%2e%2fa%00.txt"',
    b"*0*=utf-8''..%2F; filename*1=\"../a\"; filename*2*=%0Ab.pdf", b"*0=\"a\"; filename*1=\"/../b\"", b"*=bogus''%ff%fe%00x", b"*=utf-8''%C0%AE%C0%AE%2Fa",
    b"\"a.pdf\"; filename*=utf-8''b%2F..%2Fc.exe", b"\"=?utf-8?Q?=2E=2E=2Fa=00=0D=0Ab?=\"", b"\"=?utf-16?B?//4uAC4ALwBhAA==?=\"",
    b"\"=?utf-7?Q?+AC4ALgAv-a?=\"", b"*=utf-7''+AC4ALgAv-a", b'"\xff\xfe\x80.pdf"', b'"$(reboot)`reboot`|a;b&c.pdf"', b"=a/b\\c",
)  # fmt: skip
_RESERVED = re.compile(r"(?:con|prn|aux|nul|com\d|lpt\d)(?:\.|\Z)", re.IGNORECASE)
_HARMFUL = re.compile(r"[\x00-\x1f\x7f-\x9f/\\:*?\"<>|\u200b\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff]")


@dataclass
class Mailbox:
    """A service on a port of its own, in front of one mailbox in memory."""

    address: str
    backend: MemoryBackend

    def part(self, head: bytes, content: bytes) -> str:
        """The address of a part delivered with these header fields."""
        top = b"From: ann@example.org\r\nMIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=outer\r\n\r\n"
        body = b"--outer\r\n\r\nSee file.\r\n--outer\r\n" + head + b"\r\n\r\n" + content + b"\r\n--outer--\r\n"
        return f"{self.address}/v1/accounts/me/messages/{self.backend.deliver(top + body)}/parts/2"


@pytest.fixture(scope="module")
def mailbox() -> Iterator[Mailbox]:
    """Served over real HTTP."""
    backend = MemoryBackend(USER)
    server = ServerSettings(imap=ImapSettings(host="localhost", port=1))
    app = create_app(Settings(servers={"home": server}, secret_keys=token_urlsafe(32), access_log=False))
    app.state.service = replace(app.state.service, accounts=Accounts(lambda _: backend))
    with create_server(("127.0.0.1", 0)) as listener:
        http = uvicorn.Server(uvicorn.Config(app, log_level="warning"))
        thread = Thread(target=http.run, kwargs={"sockets": [listener]})
        thread.start()
        yield Mailbox(f"http://127.0.0.1:{listener.getsockname()[1]}", backend)
        http.should_exit = True
        thread.join()


@dataclass
class Visitor:
    """A page, and what happened on it."""

    page: Page
    told: list[int] = field(default_factory=list)
    began: asyncio.Queue[Download] = field(default_factory=asyncio.Queue)

    async def get(self, url: str) -> Download | None:
        """The download that opening the address begins; None where it is shown."""
        try:
            await self.page.goto(url)
        except BrowserError as error:
            if "Download is starting" not in error.message:
                raise
            return await self.began.get()
        return None


@asynccontextmanager
async def visiting(browser: Browser, headers: dict[str, str] | None = None) -> AsyncIterator[Visitor]:
    context = await browser.new_context(accept_downloads=True, extra_http_headers=headers)
    visitor = Visitor(await context.new_page())
    visitor.page.on("download", visitor.began.put_nowait)
    await context.expose_binding("told", lambda _, number: visitor.told.append(number))
    try:
        yield visitor
    finally:
        await context.close()


@pytest.mark.parametrize("query", ["", "?inline=true"])
async def test_no_part_runs(browser: Browser, sink: Sink, mailbox: Mailbox, query: str) -> None:
    """R-HTTP-10, R-MIME-16: what could run is downloaded, and what is shown loads nothing."""
    host = next(_HOSTS)
    async with visiting(browser, _LOGIN) as visitor:
        for case in CASES:
            head = f"Content-Type: {case.type}".encode()
            download = await visitor.get(mailbox.part(head, case.content.replace("HOST", host).encode()) + query)
            assert (download is None) == bool(case.shown and query), case
        assert visitor.told == []
    assert host not in sink.hosts


async def test_nor_does_a_part_named_for_another_type(browser: Browser, sink: Sink, mailbox: Mailbox) -> None:
    """R-HTTP-10, R-MIME-16: neither the name's end nor the octets change what a part is."""
    host = next(_HOSTS)
    async with visiting(browser, _LOGIN) as visitor:
        for type_, name in product(("image/png", "text/plain", "video/mp4"), ("a.html", "a.svg", "a.xhtml", "a.mhtml")):
            head = f'Content-Type: {type_}; name="{name}"\r\nContent-Disposition: inline; filename="{name}"'.encode()
            await visitor.get(mailbox.part(head, _RAN.replace("HOST", host).encode()) + "?inline=true")
        assert visitor.told == []
    assert host not in sink.hosts


async def test_the_source_is_downloaded(browser: Browser, mailbox: Mailbox) -> None:
    """R-HTTP-10: Chromium would show message/rfc822 as a page where it is a file of its own."""
    url = mailbox.part(b"Content-Type: text/html", _RAN.encode())
    async with visiting(browser, _LOGIN) as visitor:
        assert await visitor.get(url.replace("/parts/2", "/source"))
        assert visitor.told == []


async def test_a_part_is_no_script_style_or_frame_of_another_page(
    browser: Browser, sink: Sink, mailbox: Mailbox
) -> None:
    """R-MIME-16: not even for one that is let in."""
    script = mailbox.part(b"Content-Type: application/javascript", b"told(1)")
    frame = mailbox.part(b"Content-Type: text/html", _RAN.encode())
    sink.pages = {
        "/": Served(
            f"<!doctype html><script src={script}></script><iframe src={frame}></iframe><object data={frame}></object>"
        )
    }
    async with visiting(browser, _LOGIN) as visitor:
        await visitor.get(f"http://{HOME}/")
        assert visitor.told == []


async def test_served_by_anybody_else_they_run(browser: Browser, sink: Sink) -> None:
    """The control: the same octets under the types they declare, without the headers of the service."""
    ran = set()
    for case in CASES[:11]:
        async with visiting(browser) as visitor:
            sink.pages = {"/": Served(case.content, case.type)}
            await visitor.get(f"http://{HOME}/")
            ran |= {case.type} if visitor.told else set()
    assert ran >= {"text/html", "image/svg+xml", "application/xhtml+xml", "application/xml"}


@pytest.mark.parametrize("header", ["Content-Disposition: attachment; filename", "Content-Type: application/zip; name"])
async def test_no_name_is_harmful(browser: Browser, mailbox: Mailbox, header: str) -> None:
    """R-HTTP-10, R-MIME-17: what Chromium would save it as is one short name in the folder of downloads."""
    async with visiting(browser, _LOGIN) as visitor:
        for name in NAMES:
            head = header.encode() + (name if name[:1] in {b"*", b"="} else b"=" + name)
            download = await visitor.get(mailbox.part(head, b"octets"))
            assert download is not None, name
            saved = download.suggested_filename
            assert 0 < len(saved.encode()) <= 255, name
            assert saved.strip(". "), name
            assert not saved.startswith((".", "~")), (name, saved)
            assert _HARMFUL.search(saved) is None, (name, saved)
            assert _RESERVED.match(saved) is None, (name, saved)

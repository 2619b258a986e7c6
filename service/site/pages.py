"""What is served: each page is made once, on first use, and has an ETag."""

from dataclasses import dataclass
from functools import cache
from hashlib import sha256

from service import __version__
from service.mail.errors import NotFound
from service.site import texts
from service.site.layout import contents, page
from service.site.markdown import render

_HOME = """<h1>Casella</h1>
<p>One HTTP/JSON API in front of any mailbox, over IMAP, over POP3 or in a Maildir. Apps speak HTTP to this service, and
it speaks to the mail server. It stores no mail and no password.</p>
<ul class="cards">
<li><a href="guides/getting-started">Getting started</a><span>A first request, in five minutes.</span></li>
<li><a href="guides">Guides</a><span>Short pages for app developers, operators and contributors.</span></li>
<li><a href="docs">API reference</a><span>Every call, to try out. Also as <a href="redoc">one page</a>.</span></li>
<li><a href="guides/errors">Errors</a><span>Every problem type, and what to do about it.</span></li>
</ul>
<h2>Try it</h2>
<p>Sign in with the mailbox's own login and password:</p>
<pre><code>curl -u LOGIN https://THIS-HOST/v1/accounts/me/folders</code></pre>
"""


@dataclass(frozen=True, slots=True)
class Document:
    """A finished page."""

    html: str
    etag: str


def _document(html: str) -> Document:
    return Document(html, f'"{sha256(html.encode()).hexdigest()[:20]}"')


@cache
def home() -> Document:
    """The page at ``/``."""
    return _document(page("Casella: any mailbox over HTTP", _HOME, "./"))


def links() -> dict[str, str]:
    """What ``/`` is for programs that ask for JSON."""
    return {
        "name": "Casella",
        "version": __version__,
        "openapi": "/openapi.json",
        "docs": "/docs",
        "guides": "/guides",
        "status": "/readyz",
    }


def index() -> Document:
    """The page at ``/guides``. Raises NotFound if the package was installed without the guides."""
    if not texts.pages():
        raise NotFound("route")
    return _guide(texts.INDEX, "./")


def guide(name: str) -> Document:
    """The page at ``/guides/{name}``. Raises NotFound if there is none."""
    file = texts.pages().get(name)
    if file is None:
        raise NotFound("route")
    return _guide(file, "../")


@cache
def _guide(file: str, root: str) -> Document:
    def follow(link: str) -> str | None:
        target = texts.address(link, file)
        return target if target is None or target == link else root + target

    text = render(texts.read(file), follow)
    title, _, rest = text.html.partition("</h1>\n")
    body = f"{title}</h1>\n{contents(text.sections)}{rest}"
    return _document(page(f"{text.title} · Casella", body, root))

"""The pages `/` and `/guides`: each is made once, on first use."""

from functools import cache

from service import __version__
from service.mail.errors import NotFound
from service.site import texts
from service.site.documents import Document, html
from service.site.layout import POLICY, contents, guide_links, page
from service.site.markdown import render

_HOME = """<h1>Casella</h1>
<p>One HTTP/JSON API in front of any mailbox, over IMAP, over POP3 or in a Maildir. Apps speak HTTP to this service, and
it speaks to the mail server. It stores no mail, and nothing else unless its operator gives it a database.</p>
<ul class="cards">
{page}<li><a href="guides/quick-start">Quick start</a><span>A first request, in five minutes.</span></li>
<li><a href="guides">Guides</a><span>Short pages for app developers, operators and contributors.</span></li>
<li><a href="docs">API reference</a><span>Every call, with samples in five languages.</span></li>
<li><a href="docs/try">Try it</a><span>Send requests from the browser.</span></li>
</ul>
<h2>Your first request</h2>
<p>Sign in with the mailbox's own login and password:</p>
<pre><code>curl -u LOGIN https://THIS-HOST/v1/accounts/me/folders</code></pre>
"""


_MAIL = '<li><a href="app/">Mail</a><span>Your mailbox in this browser.</span></li>\n'


@cache
def home(has_page: bool) -> Document:
    """The page at ``/``. ``has_page``: whether the service shows mail at ``/app/``."""
    body = _HOME.replace("{page}", _MAIL if has_page else "")
    return html(page("Casella: any mailbox over HTTP", f"<main>\n{body}</main>", "./"), POLICY)


def links(has_page: bool) -> dict[str, str]:
    """What ``/`` is for programs that ask for JSON."""
    mail = {"page": "/app/"} if has_page else {}
    return mail | {
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
    column = guide_links(texts.groups(), root, texts.address(file, "") or "")
    body = (
        f'<div class="columns">\n<nav class="column">{column}</nav>\n'
        f"<main>\n{title}</h1>\n{contents(text.sections)}{rest}</main>\n</div>\n"
        f'<details class="more"><summary>All guides</summary>{column}</details>'
    )
    return html(page(f"{text.title} · Casella", body, root), POLICY)

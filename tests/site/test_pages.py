"""The pages for people: ``/`` and the guides, as a browser and a program get them."""

import re
from collections.abc import AsyncIterator, Iterable
from html.parser import HTMLParser
from urllib.parse import urldefrag, urljoin

import httpx
import pytest
import pytest_asyncio

from service import __version__
from service.app import create_app
from service.settings.model import Settings
from service.site.texts import pages

BASE = "http://casella.example.org"
PATHS = ("/", "/guides", *(f"/guides/{name}" for name in pages()))


@pytest.fixture(scope="module")
def transport() -> httpx.ASGITransport:
    return httpx.ASGITransport(create_app(Settings(servers={})))


@pytest_asyncio.fixture
async def client(transport: httpx.ASGITransport) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(transport=transport, base_url=BASE, headers={"Accept": "text/html,*/*"}) as one:
        yield one


class Html(HTMLParser):
    """The tags of a page, its links and the targets in it."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.attributes: set[str] = set()
        self.links: list[str] = []
        self.ids: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: Iterable[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        for name, value in attrs:
            self.attributes.add(name)
            if name == "href":
                self.links.append(value or "")
            if name == "id":
                self.ids.append(value or "")


def test_every_page_of_docs_is_a_guide() -> None:
    assert {"quick-start", "list-and-read", "search", "errors", "operator", "settings", "security", "chart"} <= set(
        pages()
    )


@pytest.mark.parametrize("path", PATHS)
async def test_a_page_needs_nothing_from_elsewhere_and_runs_nothing(client: httpx.AsyncClient, path: str) -> None:
    answer = await client.get(path)
    assert (answer.status_code, answer.headers["content-type"]) == (200, "text/html; charset=utf-8")
    policy = answer.headers["content-security-policy"]
    assert policy.startswith("default-src 'none'; style-src 'sha256-")
    assert "unsafe" not in policy
    page = Html(answer.text)
    assert page.tags.isdisjoint({"script", "img", "iframe", "form", "object"})
    assert re.findall(r"<link [^>]*>", answer.text) == re.findall(
        r'<link rel="icon" [^>]*assets/icon.svg">', answer.text
    )
    assert not {name for name in page.attributes if name.startswith("on")} | page.attributes & {"style", "src"}
    assert answer.text.count("<h1") == 1
    assert len(page.ids) == len(set(page.ids))


@pytest.mark.parametrize("path", PATHS)
async def test_every_link_leads_somewhere(client: httpx.AsyncClient, path: str) -> None:
    """Also to the heading it names."""
    wanted: dict[str, set[str]] = {}
    for link in Html((await client.get(path)).text).links:
        address, fragment = urldefrag(urljoin(BASE + path, link))
        wanted.setdefault(address, set()).update({fragment} - {""})
    for address, fragments in wanted.items():
        if address.startswith(BASE) and not address.endswith("/readyz"):
            answer = await client.get(address)
            assert answer.status_code == 200, address
            assert fragments <= set(Html(answer.text).ids), address


async def test_the_first_page_says_what_this_is(client: httpx.AsyncClient) -> None:
    answer = await client.get("/")
    assert __version__ in answer.text
    assert {"docs", "guides", "./readyz"} <= set(Html(answer.text).links)


async def test_a_program_gets_the_links_as_json(client: httpx.AsyncClient) -> None:
    answer = await client.get("/", headers={"Accept": "application/json"})
    links = answer.json()
    assert (links.pop("name"), links.pop("version")) == ("Casella", __version__)
    assert answer.headers["vary"] == "Accept"
    del links["status"]  # 503 here: the application is called without its lifespan
    for address in links.values():
        assert (await client.get(address)).status_code == 200


async def test_a_page_that_a_browser_knows_is_not_sent_again(client: httpx.AsyncClient) -> None:
    first = await client.get("/guides/search")
    again = await client.get("/guides/search", headers={"If-None-Match": f'"x", W/{first.headers["etag"]}'})
    assert (again.status_code, again.content) == (304, b"")
    assert again.headers["etag"] == first.headers["etag"]
    other = await client.get("/guides/errors", headers={"If-None-Match": first.headers["etag"]})
    assert other.status_code == 200


@pytest.mark.parametrize("path", ["/", "/guides", "/guides/search"])
async def test_head_has_the_headers_and_other_methods_are_refused(client: httpx.AsyncClient, path: str) -> None:
    got, head, post = await client.get(path), await client.head(path), await client.post(path)
    assert head.status_code == 200
    assert head.headers["etag"] == got.headers["etag"]
    assert (post.status_code, post.json()["type"]) == (405, "/problems/method-not-allowed")
    assert set(post.headers["allow"].split(", ")) == {"GET", "HEAD"}


@pytest.mark.parametrize("name", ["nothing", "README", "%2e%2e%2fSECURITY", "search.md"])
async def test_another_name_is_not_found(client: httpx.AsyncClient, name: str) -> None:
    answer = await client.get(f"/guides/{name}")
    assert (answer.status_code, answer.json()["type"]) == (404, "/problems/not-found")


async def test_the_pages_are_not_in_the_contract_but_the_reference_links_to_them(client: httpx.AsyncClient) -> None:
    contract = (await client.get("/openapi.json")).json()
    assert not [path for path in contract["paths"] if path == "/" or path.startswith("/guides")]
    assert re.search(r"\[/guides\]\(guides\)", contract["info"]["description"])

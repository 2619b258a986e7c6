"""What is called safe, shown by a real browser in the ways a client may show it."""

import re
from collections.abc import Callable, Sequence

import pytest

from service.mail.mime.body import Leaf, read_body
from service.mail.mime.html.safe_html import safe_html
from service.mail.model import Part
from tests.browser.sink import HOME, Page
from tests.browser.stage import WAYS, Seen, Stage, Way
from tests.browser.vectors import COVERS, ENCODINGS, OVERFLOWS, REMOTE, VECTORS, Attempt, Vector, host_of

pytestmark = pytest.mark.asyncio(loop_scope="session")
CHUNK = 120
CHUNKS = [VECTORS[at : at + CHUNK] for at in range(0, len(VECTORS), CHUNK)]
_DID: dict[Attempt, Callable[[Seen], set[str]]] = {
    "script": lambda seen: seen.ran,
    "request": lambda seen: seen.asked,
    "cover": lambda seen: seen.covered,
    "navigate": lambda seen: seen.effective,
    "clobber": lambda seen: seen.effective,
}
_NOTHING = Seen()
_CHARSETS = {
    "utf-7": b"+ADw-script+AD4-RUN+ADw-/script+AD4APA-img src+AD0-x: onerror+AD0-RUN+AD4-",
    "utf-16": "<script>RUN</script>".encode("utf-16"),
    "utf-16be": "\ufeff<svg onload=RUN>".encode("utf-16be"),
    "utf-32": "<img src=x: onerror=RUN>".encode("utf-32"),
    "iso-2022-jp": b"<p title='\x1b$B'><img src=x: onerror=RUN>\x1b(B'><svg onload=RUN>",
    "hz-gb-2312": b"<p title='~{'><img src=x: onerror=RUN>~}'><svg onload=RUN>",
    "shift_jis": b"<p title='\x81'><img src=x: onerror=RUN>'><svg onload=RUN>",
    "x-user-defined": b"\xbcscript\xbeRUN\xbc/script\xbe<svg onload=RUN>",
    "ibm037": "<script>RUN</script>".encode("cp037"),
    "us-ascii": b"\xc0\xbcscript\xc0\xbe<scr\x00ipt>RUN</script>\xff<svg onload=RUN>",
}


def _safe(html: str) -> str:
    """As a message has it: with marks of what was taken out."""
    return safe_html(html, {}).html


async def test_vectors_have_names() -> None:
    """Reports say names, so each is one vector's."""
    assert len({vector.name for vector in VECTORS}) == len(VECTORS) >= 150


async def test_cleaning_again_changes_nothing() -> None:
    """R-MIME-12: what is read by a browser is what was cleaned."""
    cleaned = {vector.name: safe_html(vector.numbered(7)).html for vector in VECTORS}
    assert {name: safe_html(html).html for name, html in cleaned.items()} == cleaned


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("vectors", CHUNKS, ids=lambda chunk: f"from-{chunk[0].name}")
async def test_nothing_happens(stage: Stage, vectors: Sequence[Vector], way: Way) -> None:
    """R-MIME-12, R-MIME-13: no script runs, no request leaves, nothing is covered, and clicks only follow links."""
    assert await stage.show(vectors, way, _safe) == _NOTHING


async def test_nothing_moves_out_of_a_container_that_does_not_clip(stage: Stage) -> None:
    """R-MIME-12: neither what has a position of its own nor negative and absurd sizes."""
    assert await stage.show([*COVERS, *OVERFLOWS], "spilling", _safe) == _NOTHING


@pytest.mark.parametrize("way", WAYS)
async def test_no_charset_hides_anything(stage: Stage, way: Way) -> None:
    """R-MIME-12: octets that turn into tags only once they are decoded."""

    def decoded(html: str) -> str:
        call, _, charset = html.partition(" ")
        part = Part(id="1", type="text/html", charset=charset)
        return (
            read_body(
                [Leaf(part, _CHARSETS[charset].replace(b"RUN", call.encode()))],
                [Leaf(part, _CHARSETS[charset].replace(b"RUN", call.encode()))],
            ).html
            or ""
        )

    vectors = [Vector(charset, f"RUN {charset}", "script") for charset in _CHARSETS]
    assert await stage.show([*vectors], way, decoded) == _NOTHING
    assert await stage.show(ENCODINGS, way, _safe) == _NOTHING


async def test_a_link_opens_a_window_that_knows_nothing(stage: Stage) -> None:
    """R-MIME-13: neither its opener nor where it was."""
    html = _safe("<a href='http://v1.example.net/'>read more</a>")
    stage.sink.pages = {"/": Page(f"<!doctype html><div>{html}</div>")}
    context = await stage.browser.new_context()
    page = await context.new_page()
    await page.goto(f"http://{HOME}/")
    async with page.expect_popup() as opened:
        await page.click("a")
    window = await opened.value
    await window.wait_for_load_state()
    assert await window.evaluate("[window.opener, document.referrer, location.host]") == [None, "", "v1.example.net"]
    assert page.url == f"http://{HOME}/"
    await context.close()


@pytest.mark.parametrize("vector", REMOTE, ids=lambda vector: vector.name)
async def test_what_would_be_loaded_is_listed(vector: Vector) -> None:
    """R-MIME-13."""
    safe = safe_html(vector.numbered(7))
    assert any(host_of(7) in url for url in safe.remote)
    assert host_of(7) not in safe.html


@pytest.mark.parametrize(
    ("way", "attempt", "least"),
    [
        ("element", "script", 0.4), ("element", "request", 0.6), ("document", "script", 0.5), ("document", "navigate", 0.5),
        ("srcdoc", "script", 0.5), ("srcdoc", "request", 0.6), ("srcdoc", "clobber", 0.9),
    ],
)  # fmt: skip
async def test_as_they_came_they_do_what_they_attempt(stage: Stage, way: Way, attempt: Attempt, least: float) -> None:
    """The control: these pages see it. Some attempts only older browsers fall for, or cleaners that write again."""
    alike = [vector for vector in VECTORS if vector.attempts == attempt]
    # One that leads its page away would take the others of the page along.
    shown = [
        vector for vector in alike if way != "element" or not re.search("<form|<meta|<frameset|href", vector.html)
    ][::3]
    did = _DID[attempt](await stage.show(shown, way, str))
    assert len(did) >= least * len(shown), sorted({vector.name for vector in shown} - did)


@pytest.mark.parametrize("vector", COVERS[:8:2], ids=lambda vector: vector.name)
async def test_as_they_came_they_cover(stage: Stage, vector: Vector) -> None:
    """The control: a page apart for each, since it covers the others."""
    assert (await stage.show([vector], "element", str)).covered == {vector.name}


async def test_as_they_came_they_move_out_of_a_container_that_does_not_clip(stage: Stage) -> None:
    """The control: not all of them, since those on top hide others."""
    seen = await stage.show(OVERFLOWS, "spilling", str)
    assert len(seen.covered) >= len(OVERFLOWS) / 3


_LOOKS = (
    ("width:33.333333%", "width", "100px"),
    ("font-size:10px;line-height:1.42857143", "lineHeight", "14.2857px"),
    ("background:#369 url(https://example.org/a;b.png) no-repeat center/cover", "backgroundColor", "rgb(51, 102, 153)"),
    ("background:url('data:image/png;base64,AAAA') rgb(1, 2, 3)", "backgroundColor", "rgb(1, 2, 3)"),
    ("font-size:20px;letter-spacing:-0.02em", "letterSpacing", "-0.4px"),
    ("letter-spacing:-.5px", "letterSpacing", "-0.5px"),
    ("max-width:600px;margin:0 auto", "maxWidth", "600px"),
    ("display:inline-block;padding:12px 24px", "paddingLeft", "24px"),
    ("font-family:'Segoe UI', 'Helvetica Neue', sans-serif", "fontFamily", '"Segoe UI", "Helvetica Neue", sans-serif'),
    ("display:none;max-height:0;mso-hide:all", "display", "none"),
    ("border-top:1px solid #e5e5e5 !important", "borderTopColor", "rgb(229, 229, 229)"),
)  # fmt: skip


async def test_nice_mail_keeps_its_looks(stage: Stage) -> None:
    """R-MIME-14: as the browser computes them."""
    mail = "".join(f'<div style="{style}">x</div>' for style, _, _ in _LOOKS)
    stage.sink.pages = {"/": Page(f"<!doctype html><main style='width:300px'>{_safe(mail)}</main>")}
    context = await stage.browser.new_context()
    page = await context.new_page()
    await page.goto(f"http://{HOME}/")
    names = [name for _, name, _ in _LOOKS]
    found = await page.evaluate(
        "names => names.map((name, at) => getComputedStyle(document.querySelectorAll('main > div')[at])[name])", names
    )
    assert dict(zip(names, found, strict=True)) == {name: value for _, name, value in _LOOKS}
    await context.close()

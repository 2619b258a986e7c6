"""Pages that show mail the ways a client may, and what is seen to happen on them."""

import json
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from html import escape
from itertools import count
from typing import Literal, NamedTuple

from playwright.async_api import Browser, BrowserContext

from tests.browser.sink import HOME, Page, Sink
from tests.browser.vectors import Vector, host_of

Way = Literal["element", "document", "srcdoc", "spilling"]
"""Spilling is an element that does not clip what is in it."""
_ELEMENTS: tuple[Way, ...] = ("element", "spilling")
WAYS: tuple[Way, ...] = ("element", "document", "srcdoc")
_ROOM = 1000
"""Numbers a run may use: what an earlier run sets off late is not taken for this one's doing."""
_runs = count(1)
_HOST = re.compile(r"//(?:[^/@]*@)?v(\d+)\.example\.net")
# Asked again by every frame and every handler, so only the first time is told.
_CANARY = "window.ran = (seen => n => { if (!seen.has(n)) { seen.add(n); told(n); } })(new Set());"
_STYLE = """<style>
body { margin: 0; padding: 15px; background: #fff }
main { display: grid; grid-template-columns: repeat(8, 130px); grid-auto-rows: 50px; gap: 25px }
.mail { overflow: auto }
main:has(.spilling) { grid-template-columns: repeat(4, 150px); gap: 130px; padding: 130px }
.spilling { overflow: visible; border: 1px solid; align-self: start }
iframe { width: 90px; height: 40px; border: 0 }
</style>"""
_FILL = """<script>for (const [n, html] of Object.entries(%s)) document.querySelector(`[data-n="${n}"]`).innerHTML = html
</script>"""
_SETTLE = """() => new Promise(done => requestAnimationFrame(() => requestAnimationFrame(() => setTimeout(done))))
  .then(() => fetch('/done')).then(answer => answer.text())"""
_NO_CID = "Failed to load resource: net::ERR_UNKNOWN_URL_SCHEME"
# What a reader does to all that is there, and what must not be there; answers [number, fault] pairs.
_PROBE = """() => {
const EVENTS = ['mouseover', 'mouseenter', 'mousemove', 'pointerdown', 'pointerover', 'wheel', 'keydown', 'copy', 'dragstart',
  'contextmenu', 'dblclick', 'beforetoggle', 'toggle', 'scroll', 'scrollend', 'animationstart', 'transitionrun',
  'contentvisibilityautostatechange', 'message', 'hashchange'];
const faults = [];
const guard = event => {
  const link = event.target.closest?.('a,area');
  if (/^https?:|^mailto:/.test(link?.href?.baseVal ?? link?.href)) event.preventDefault();
};
const examine = (n, root) => {
  root.ownerDocument.addEventListener('click', guard, true);
  const view = root.ownerDocument.defaultView;
  for (const one of root.querySelectorAll('*')) {
    // A form may hide its own members behind those of its fields.
    const of = (name, ...rest) => Element.prototype[name].call(one, ...rest);
    const fault = what => faults.push([n, `${what} ${of('cloneNode').outerHTML}`.slice(0, 200)]);
    if (one.namespaceURI !== 'http://www.w3.org/1999/xhtml') fault('foreign');
    if (!['static', ''].includes(view.getComputedStyle(one).position)) fault('position');
    if (one.shadowRoot) fault('shadow');
    for (const name of of('getAttributeNames')) {
      const value = of('getAttribute', name), isLink = one.localName === 'a' && name === 'href';
      if (/^on|^(id|name|class|slot|part|is|form.*|target)$/.test(name) && value !== '_blank') fault('attribute');
      if (value.includes('example.net') && !isLink) fault('address');
      if (isLink && !(/^https?:|^mailto:/.test(one.href) && one.target === '_blank' && one.relList.contains('noopener')))
        fault('link');
    }
    for (const type of EVENTS) of('dispatchEvent', new view.MouseEvent(type, { bubbles: true, cancelable: true }));
    typeof one.focus === 'function' && one.focus();
    if (one instanceof view.HTMLElement) typeof one.click === 'function' && one.click();
    else of('dispatchEvent', new view.MouseEvent('click', { bubbles: true, cancelable: true }));
  }
};
for (const frame of document.querySelectorAll('main > iframe')) {
  const n = +frame.dataset.n, here = frame.contentDocument;
  const isHome = here && (here.URL === 'about:srcdoc' || here.URL === frame.src);
  if (!isHome) { faults.push([n, 'navigated']); continue; }
  const body = here.documentElement?.querySelector('body, frameset');
  if (here.body !== body || typeof here.getElementById !== 'function' || typeof here.cookie !== 'string'
    || frame.contentWindow.config !== undefined) faults.push([n, 'clobbered']);
  if (body) examine(n, body);
}
for (const mail of document.querySelectorAll('main > .mail')) examine(+mail.dataset.n, mail);
return faults;
}"""
# Points whose topmost element belongs to a mail that has no business there. What does not clip may grow, but only onwards.
_COVERED = """() => {
const found = new Set();
for (let x = 5; x < innerWidth; x += 10) for (let y = 5; y < innerHeight; y += 10) {
  const mail = document.elementFromPoint(x, y)?.closest('.mail');
  if (!mail) continue;
  const { left, right, top, bottom } = mail.getBoundingClientRect();
  const isAside = x > right || y > bottom;
  if (x < left || y < top || isAside && !mail.matches('.spilling')) found.add(+mail.dataset.n);
}
return [...found];
}"""


class Fault(NamedTuple):
    """A vector, and what is left of it in the tree."""

    vector: str
    what: str


@dataclass
class Seen:
    """Names of vectors that did what they attempt, and what no vector can be named for."""

    ran: set[str] = field(default_factory=set)
    asked: set[str] = field(default_factory=set)
    covered: set[str] = field(default_factory=set)
    left: set[Fault] = field(default_factory=set)
    dialogs: list[str] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)
    strayed: list[str] = field(default_factory=list)
    """Addresses other than the page's own that were asked, whoever's they are."""
    windows: int = 0

    @property
    def effective(self) -> set[str]:
        """All vectors that did anything."""
        return self.ran | self.asked | self.covered | {fault.vector for fault in self.left}


@dataclass
class Stage:
    """``show`` renders vectors, as ``clean`` gives them, all on one page and each by itself."""

    browser: Browser
    sink: Sink

    async def show(self, vectors: Sequence[Vector], way: Way, clean: Callable[[str], str]) -> Seen:
        base = next(_runs) * _ROOM
        names = {base + place: vector.name for place, vector in enumerate(vectors)}
        mails = {base + place: clean(vector.numbered(base + place)) for place, vector in enumerate(vectors)}
        self.sink.pages = {"/": Page(_page(mails, way))}
        if way == "document":
            self.sink.pages |= {f"/mail/{number}": Page(_document(html)) for number, html in mails.items()}
        self.sink.hosts.clear()
        context = await self.browser.new_context(viewport={"width": 1280, "height": 1400}, accept_downloads=False)
        try:
            return await self._watch(context, names, way)
        finally:
            await context.close()

    async def _watch(self, context: BrowserContext, names: dict[int, str], way: Way) -> Seen:
        seen, requests = Seen(), list[str]()
        await context.expose_binding("told", lambda _, number: seen.ran.add(names.get(number, str(number))))
        await context.add_init_script(_CANARY)
        page = await context.new_page()
        context.on("request", lambda request: requests.append(request.url))
        context.on("page", lambda _: setattr(seen, "windows", seen.windows + 1))
        context.on("weberror", lambda error: seen.errors.append(str(error.error)))
        context.on("console", lambda said: seen.errors.append(said.text) if said.type == "error" else None)
        context.on("dialog", lambda dialog: seen.dialogs.append(dialog.message))
        page.on("dialog", lambda dialog: dialog.dismiss())
        await page.goto(f"http://{HOME}/")
        await page.evaluate(_SETTLE)
        covered = set[int]()
        if way in _ELEMENTS:
            covered |= {*await page.evaluate(_COVERED)}
        seen.left = {Fault(names[number], what) for number, what in await page.evaluate(_PROBE)}
        await page.evaluate(_SETTLE)
        if way in _ELEMENTS:
            covered |= {*await page.evaluate(_COVERED)}
        seen.covered = {names[number] for number in covered}
        seen.strayed = [url for url in requests if not url.startswith((f"http://{HOME}/", "data:", "cid:"))]
        seen.errors = [error for error in seen.errors if error != _NO_CID]
        asked = self.sink.hosts | {host_of(int(found)) for url in requests for found in _HOST.findall(url)}
        seen.asked = {name for number, name in names.items() if host_of(number) in asked}
        return seen


def _page(mails: dict[int, str], way: Way) -> str:
    return f"<!doctype html><meta charset=utf-8><title>Mail</title>{_STYLE}{''.join(_places(mails, way))}"


def _places(mails: dict[int, str], way: Way) -> Iterable[str]:
    yield "<main>"
    for number, html in mails.items():
        match way:
            case "document":
                yield f'<iframe data-n="{number}" src="http://{HOME}/mail/{number}"></iframe>'
            case "srcdoc":
                yield f'<iframe data-n="{number}" srcdoc="{escape(html)}"></iframe>'
            case "element":
                yield f'<div class=mail data-n="{number}"></div>'
            case "spilling":
                yield f'<div class="mail spilling" data-n="{number}"></div>'
    yield "</main>"
    if way in _ELEMENTS:
        yield _FILL % json.dumps(mails).replace("<", "\\u003c")


def _document(html: str) -> str:
    return f"<!doctype html><meta charset=utf-8><body>{html}"

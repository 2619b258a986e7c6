"""The frame of every page: one stylesheet, and nothing from elsewhere."""

from base64 import b64encode
from collections.abc import Sequence
from hashlib import sha256
from html import escape
from pathlib import Path
from string import Template
from typing import Literal

from service import __version__
from service.site.texts import Group


def _style(*names: str) -> str:
    return "".join(Path(__file__).with_name(name).read_text(encoding="utf-8") for name in names)


def _source(style: str) -> str:
    """The stylesheet's name in a policy: its hash."""
    return f"'sha256-{b64encode(sha256(style.encode()).digest()).decode()}'"


_STYLES = {"guide": _style("base.css", "style.css"), "reference": _style("base.css", "reference.css")}
_REST = "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
POLICY = f"default-src 'none'; style-src {_source(_STYLES['guide'])}; img-src 'self'; {_REST}"
"""Content-Security-Policy of every page but the reference: this stylesheet, our icon, and nothing else."""
_BUNDLED = (
    "'sha256-47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU='",
    "'sha256-QMIg+bpjm3JdElJ388KYke01izlUW0UoNOeKjpMxdgc='",
)
"""Style elements that Redoc makes: an empty one, which it fills by script, and one with the style of scroll bars."""
REFERENCE_POLICY = (
    f"default-src 'none'; script-src 'self'; style-src 'self' {_source(_STYLES['reference'])} {' '.join(_BUNDLED)}; "
    f"connect-src 'self'; img-src 'self' data:; worker-src blob:; {_REST}"
)
"""Scripts, styles and requests of the reference: from this service only."""
_PAGE = Template("""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>$title</title>
<link rel="icon" type="image/svg+xml" href="${root}docs/assets/icon.svg">
<style>$style</style>
</head>
<body class="$kind">
<header>
<b><a href="$root">Casella</a></b>
<nav>
<a href="${root}guides">Guides</a> <a href="${root}docs">Reference</a> <a href="${root}docs/try">Try it</a>
</nav>
</header>
$body
<footer>
Casella $version · <a href="${root}openapi.json">OpenAPI contract</a> · <a href="${root}readyz">Status</a>
</footer>
</body>
</html>
""")


def page(title: str, body: str, root: str, kind: Literal["guide", "reference"] = "guide") -> str:
    """``body`` is HTML. ``root`` leads from the page to the service's root, so that pages work below any prefix."""
    return _PAGE.substitute(
        title=escape(title), style=_STYLES[kind], body=body, root=root, kind=kind, version=escape(__version__)
    )


def guide_links(groups: Sequence[Group], root: str, current: str) -> str:
    """The guides' column. ``current`` is the address of the page that shows it."""
    return "".join(f"<p>{escape(group.title)}</p><ul>{_links(group, root, current)}</ul>" for group in groups)


def _links(group: Group, root: str, current: str) -> str:
    def link(title: str, address: str) -> str:
        here = ' aria-current="page"' if address == current else ""
        return f'<li><a href="{root}{escape(address)}"{here}>{escape(title)}</a></li>'

    return "".join(link(title, address) for title, address in group.guides)


def contents(sections: Sequence[tuple[str, str]]) -> str:
    """The headings of a long page, folded."""
    if len(sections) < 3:
        return ""
    items = "".join(f'<li><a href="#{escape(name)}">{escape(words)}</a></li>' for name, words in sections)
    return f"<details><summary>On this page</summary><ul>{items}</ul></details>\n"

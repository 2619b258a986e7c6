"""The frame of every page: one stylesheet, no script, nothing from elsewhere."""

from base64 import b64encode
from collections.abc import Sequence
from hashlib import sha256
from html import escape
from pathlib import Path
from string import Template

from service import __version__

_STYLE = Path(__file__).with_name("style.css").read_text(encoding="utf-8")
POLICY = (
    f"default-src 'none'; style-src 'sha256-{b64encode(sha256(_STYLE.encode()).digest()).decode()}'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
"""Content-Security-Policy of every page: this stylesheet, and nothing else."""
_PAGE = Template("""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>$title</title>
<style>$style</style>
</head>
<body>
<header>
<b><a href="$root">Casella</a></b> <a href="${root}guides">Guides</a> <a href="${root}docs">API reference</a>
</header>
<main>
$body
</main>
<footer>
Casella $version · <a href="${root}openapi.json">OpenAPI contract</a> · <a href="${root}readyz">Status</a>
</footer>
</body>
</html>
""")


def page(title: str, body: str, root: str) -> str:
    """``body`` is HTML. ``root`` leads from the page to the service's root, so that pages work below any prefix."""
    return _PAGE.substitute(title=escape(title), style=_STYLE, body=body, root=root, version=escape(__version__))


def contents(sections: Sequence[tuple[str, str]]) -> str:
    """The headings of a long page, folded."""
    if len(sections) < 3:
        return ""
    items = "".join(f'<li><a href="#{escape(name)}">{escape(words)}</a></li>' for name, words in sections)
    return f"<details><summary>On this page</summary><ul>{items}</ul></details>\n"

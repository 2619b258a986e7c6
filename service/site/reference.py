"""The API reference: ``/docs`` to read, ``/docs/try`` to send requests. Both work offline."""

from functools import cache

from service.site import texts
from service.site.documents import Document, html
from service.site.layout import REFERENCE_POLICY, guide_links, page

_NO_SCRIPT = '<noscript><p>Without scripts: the <a href="{guides}/reference">reference as a guide</a>.</p></noscript>'


@cache
def reference() -> Document:
    """The page at ``/docs``."""
    guides = guide_links(texts.groups()[:1], "./", "") if texts.groups() else ""
    body = (
        f'<nav id="guides">{guides}</nav>\n{_NO_SCRIPT.format(guides="guides")}'
        '<div id="reference" data-contract="openapi.json"><p>Loading …</p></div>\n'
        '<script src="docs/assets/redoc.js"></script>\n<script src="docs/assets/reference.js"></script>'
    )
    return html(page("API reference · Casella", body, "./", "reference"), REFERENCE_POLICY)


@cache
def trying() -> Document:
    """The page at ``/docs/try``."""
    body = (
        '<link rel="stylesheet" href="assets/swagger.css">\n'
        f'{_NO_SCRIPT.format(guides="../guides")}<div id="reference" data-contract="../openapi.json"></div>\n'
        '<script src="assets/swagger.js"></script>\n<script src="assets/try.js"></script>'
    )
    return html(page("Try it · Casella", body, "../", "reference"), REFERENCE_POLICY)

"""The pages at ``/problems/{name}``: the cause, what to do, and an example of each problem type."""

import json
from functools import cache
from html import escape

from service.api.problems import BY_NAME, MEDIA_TYPE, ProblemType, example_of
from service.mail.errors import NotFound
from service.site.causes import CAUSES
from service.site.documents import Document, html
from service.site.layout import POLICY, page
from service.site.markdown import render

_AGAIN = "The same request may succeed later."
_NOT_AGAIN = "The same request will fail again: change it first."


@cache
def problem(name: str) -> Document:
    """The page of the problem type. Raises NotFound."""
    kind = BY_NAME.get(name)
    if kind is None:
        raise NotFound("route")
    text = render(_source(kind), lambda link: link)
    body = f"<main>\n{text.html}{_example(kind)}</main>"
    return html(page(f"{kind.title} · Casella", body, "../"), POLICY)


def _source(kind: ProblemType) -> str:
    return (
        f"# {kind.title}\n\nStatus {kind.status}, type `/problems/{kind.name}`.\n\n"
        f"## Cause\n\n{CAUSES.get(kind.name, kind.title)}\n\n"
        f"## What to do\n\n{kind.advice}\n\n{_AGAIN if kind.retryable else _NOT_AGAIN}"
        " [Errors](../guides/errors) says more about retries.\n\n## Example\n"
    )


def _example(kind: ProblemType) -> str:
    shown = json.dumps(example_of(kind), ensure_ascii=False, indent=2)
    head = f"HTTP/1.1 {kind.status}\nContent-Type: {MEDIA_TYPE}\n"
    return f"<pre><code>{escape(f'{head}{chr(10)}{shown}')}\n</code></pre>\n"

"""Markdown as GitHub shows it, within what the page's policy allows."""

import pytest

from service.site.markdown import render, slug
from service.site.texts import address


def html(source: str) -> str:
    return render(source, lambda link: None if link == "nowhere" else link).html


@pytest.mark.parametrize(
    ("words", "anchor"),
    [("OAuth 2.0", "oauth-20"), ("If the mail server's answer is lost", "if-the-mail-servers-answer-is-lost")],
)
def test_a_heading_has_the_anchor_that_github_gives_it(words: str, anchor: str) -> None:
    assert slug(words) == anchor


def test_headings_of_the_same_words_have_anchors_of_their_own() -> None:
    assert html("# A\n## B\n## B\n") == '<h1 id="a">A</h1>\n<h2 id="b">B</h2>\n<h2 id="b-1">B</h2>\n'
    assert render("# A\n## B `c`\n### D\n", str).sections == (("b-c", "B c"),)


def test_a_table_is_aligned_by_a_class() -> None:
    assert '<td class="right">1</td>' in html("| a |\n|--:|\n| 1 |\n")
    assert "style" not in html("| a |\n|--:|\n| 1 |\n")


def test_a_link_that_leads_nowhere_keeps_its_words() -> None:
    assert (
        html("see [*this* file](nowhere) and [that](x)") == '<p>see <em>this</em> file and <a href="x">that</a></p>\n'
    )


@pytest.mark.parametrize(
    ("link", "leads_to"),
    [
        ("search.md", "guides/search"),
        ("settings.md#rates", "guides/settings#rates"),
        ("README.md", "guides"),
        ("../SECURITY.md", "guides/security"),
        ("../openapi/openapi.json", "openapi.json"),
        ("../service/app.py", None),
        ("../../etc/passwd", None),
        ("#here", "#here"),
        ("https://www.python-httpx.org/", "https://www.python-httpx.org/"),
    ],
)
def test_links_between_files_become_links_between_pages(link: str, leads_to: str | None) -> None:
    assert address(link, "docs/send.md") == leads_to

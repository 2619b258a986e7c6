"""What is quoted of the original."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.mail.mime.html.safe_html import captures, safe_html
from service.mail.model import Address, MessageBody
from service.mail.submission.model import MAX_TEXT
from service.submission.replies.quotes import CUT, MAX_QUOTED, attribution, forward_quote, reply_quote
from tests.submission.replies.originals import message, people


def test_a_text_is_quoted_line_by_line() -> None:
    """R-SEND-35: what was quoted before gets no second space; empty lines no space at all; none is lost but at the end."""
    quote = reply_quote(message(text="Hi Ben,\r\n\r\n> shall\r> > we?\n no\n-- \nAnn\n\n\n"))
    assert quote.text == (
        "On 2026-10-01 09:30 +0200, Ann <ann@example.org> wrote:\n> Hi Ben,\n>\n>> shall\n>> > we?\n>  no\n> --\n> Ann\n"
    )


def test_html_is_quoted_as_it_was_cleaned() -> None:
    """R-SEND-35."""
    quote = reply_quote(message(text="Hi", html='<p>Hi <img src="cid:a@b"></p>'))
    assert quote.html.startswith("<div>On 2026-10-01 09:30 +0200, Ann &lt;ann@example.org&gt; wrote:</div><blockquote")
    assert '><p>Hi <img src="cid:a@b"></p></blockquote>' in quote.html
    assert quote.text.endswith("wrote:\n> Hi\n")


def test_a_text_alone_is_quoted_as_html_too() -> None:
    """R-SEND-35: nothing in it becomes a tag."""
    quote = reply_quote(message(text="a <b>\n& c"))
    assert quote.html.endswith("><div>a &lt;b&gt;<br>&amp; c</div></blockquote>")


@pytest.mark.parametrize("text", [None, "", "\n \n"])
def test_a_message_without_text_is_quoted_as_empty(text: str | None) -> None:
    """R-SEND-35."""
    quote = reply_quote(message(text=text))
    assert quote.text.splitlines()[1:] in ([], [""], [">"])
    assert quote.html.endswith("<div></div></blockquote>")


@pytest.mark.parametrize(
    ("fields", "line"),
    [
        ({}, "On 2026-10-01 09:30 +0200, Ann <ann@example.org> wrote:"),
        ({"from_": "ann@example.org"}, "On 2026-10-01 09:30 +0200, ann@example.org wrote:"),
        ({"sent_at": None}, "Ann <ann@example.org> wrote:"),
        ({"sent_at": None, "received_at": datetime(2026, 10, 1, tzinfo=UTC)}, "On 2026-10-01 00:00 +0000, Ann <ann@example.org> wrote:"),
        ({"from_": ()}, "On 2026-10-01 09:30 +0200:"),
        ({"from_": (), "sender": "cat@x.org"}, "On 2026-10-01 09:30 +0200, cat@x.org wrote:"),
        ({"from_": (), "sent_at": None}, "The original:"),
        ({"from_": (Address(name="Mailer", email=""),), "sent_at": None}, "Mailer wrote:"),
        ({"from_": (Address(name="<b>\n", email="a@x.org"),), "sent_at": None}, "<b> <a@x.org> wrote:"),
    ],
)  # fmt: skip
def test_the_line_before_says_what_is_known(fields: dict[str, object], line: str) -> None:
    """R-SEND-35."""
    assert attribution(message(**fields)).replace("<b>  <", "<b> <") == line
    assert "<b>" not in reply_quote(message(**fields)).html


def test_a_forward_shows_the_header_that_people_read() -> None:
    """R-SEND-35: and never whom it was hidden from."""
    original = message(
        to="ben@example.org cat@x.org", cc="dan@x.org", bcc="eve@x.org", subject="Re: <Lunch>", html="<b>Hi</b>"
    )
    quote = forward_quote(original)
    head = [
        "From: Ann <ann@example.org>", "Date: 2026-10-01 09:30 +0200", "Subject: Re: <Lunch>", "To: ben@example.org, cat@x.org", "Cc: dan@x.org",
    ]  # fmt: skip
    assert quote.text.splitlines() == ["---------- Forwarded message ----------", *head, "", "Shall we?"]
    assert "Subject: Re: &lt;Lunch&gt;<br>To: ben@example.org, cat@x.org<br>Cc: dan@x.org</div>" in quote.html
    assert "<b>Hi</b></blockquote>" in quote.html
    assert "eve@x.org" not in "".join(quote)


def test_what_was_cut_says_so() -> None:
    """R-SEND-35."""
    original = message(text="Hi\n", html="<p>Hi</p>").model_copy(
        update={"body": MessageBody(text="Hi\n", html="<p>Hi</p>", is_truncated=True)}
    )
    assert reply_quote(original).text.endswith(f"> Hi\n> {CUT}\n")
    assert f"<div>{CUT}</div></blockquote>" in reply_quote(original).html
    assert forward_quote(original).text.endswith(f"Hi\n{CUT}\n")


@pytest.mark.parametrize("unit", ["\n", ">\n", "&", "<a>", "x", "\r", "ü", "> ", "\x00"])
@pytest.mark.parametrize("html", [False, True])
def test_messages_without_measure_are_quoted_within_a_draft(unit: str, html: bool) -> None:
    """R-SEND-35: HTML that is too long for a draft is quoted as text."""
    crowd = people(*(f"{'p' * 200}{number}@example.org" for number in range(1000)))
    text = unit * (4 * MAX_QUOTED // len(unit))
    original = message(text=text, html=f"<p>{text * 2}</p>" if html else None, to=crowd, cc=crowd, subject="s" * 8000)
    for quote in (reply_quote(original), forward_quote(original)):
        assert len(quote.text) <= MAX_TEXT
        assert len(quote.html) <= MAX_TEXT
        assert quote.html.endswith("</blockquote>")
        assert CUT in quote.text


_HTML = st.lists(
    st.sampled_from(
        [
            "<b>",
            "</b>",
            "<p title='",
            '"',
            "<!--",
            "-->",
            "<a href=//x>",
            "</blockquote>",
            "<table>",
            "<td>",
            "x",
            "&",
            "<style>",
        ]
    )
)


@given(_HTML.map("".join))
def test_what_follows_a_quote_is_not_part_of_it(html: str) -> None:
    """R-SEND-35."""
    quote = reply_quote(message(html=safe_html(html).html, text=html))
    assert not captures(quote.html)
    assert not captures(reply_quote(message(text=html)).html)
    assert quote.html.count("<blockquote type=") == quote.html.count("<blockquote") - html.count("<blockquote")

"""How to leave a mailing list."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.mail.mime.message import read_message
from service.mail.model import Unsubscribe

POST = "List-Unsubscribe-Post: List-Unsubscribe=One-Click\n"


def read(fields: str) -> Unsubscribe | None:
    octets = f"From: list@example.org\n{fields}\nText\n".encode()
    return read_message(octets, id="m", folder_id="f", size=len(octets)).unsubscribe


@pytest.mark.parametrize(
    ("fields", "url", "mailto", "one_click"),
    [
        ("List-Unsubscribe: <https://example.org/u?a=1&b=2>\n", "https://example.org/u?a=1&b=2", None, False),
        ("List-Unsubscribe: <https://example.org/u>\n" + POST, "https://example.org/u", None, True),
        (
            "List-Unsubscribe: <mailto:leave@example.org?subject=leave%20me>,\n <https://example.org/u>\n" + POST,
            "https://example.org/u", "mailto:leave@example.org?subject=leave%20me", True,
        ),
        ("list-unsubscribe: <http://example.org/u>\nlist-unsubscribe-post:  list-unsubscribe = one-click \n", "http://example.org/u", None, False),
        ("List-Unsubscribe: <http://a.example.org>, <https://b.example.org>\n" + POST, "https://b.example.org", None, True),
        ("List-Unsubscribe: <https://example.org/u>\nList-Unsubscribe-Post: yes\n", "https://example.org/u", None, False),
        ("List-Unsubscribe: <mailto:leave@example.org>\n" + POST, None, "mailto:leave@example.org", False),
        ("List-Unsubscribe: (by the web) <https://example.org/a\n b/c>\n", "https://example.org/ab/c", None, False),
        ("List-Unsubscribe: https://example.org/bare\n", "https://example.org/bare", None, False),
        ("List-Unsubscribe: =?us-ascii?q?=3Chttps=3A//example.org/q=3E?=\n", "https://example.org/q", None, False),
        ("List-Unsubscribe: <HTTPS://Example.org/U>\n" + POST, "HTTPS://Example.org/U", None, True),
        ("List-Unsubscribe: <https://example.org/ü>\n", "https://example.org/%C3%BC", None, False),
        ("List-Unsubscribe: <https://example.org:8443/u>\n", "https://example.org:8443/u", None, False),
        ("List-Unsubscribe: <MAILTO:leave@example.org?SUBJECT=x&cc=all@example.org&bcc=b@example.org&In-Reply-To=z&body=a%0D%0Ab>\n", None, "mailto:leave@example.org?SUBJECT=x&body=a%0D%0Ab", False),
        ("List-Unsubscribe: <>, <javascript:alert(1)>, <https://example.org/u>\n", "https://example.org/u", None, False),
        ("List-Unsubscribe: <javascript:x>\nList-Unsubscribe: <https://example.org/second>\n", "https://example.org/second", None, False),
    ],
)  # fmt: skip
def test_what_is_offered_is_read(fields: str, url: str | None, mailto: str | None, one_click: bool) -> None:
    """R-MIME-53: one click needs TLS and the field that promises it."""
    assert read(fields) == Unsubscribe(one_click=one_click, url=url, mailto=mailto)


@pytest.mark.parametrize(
    "value",
    [
        "<javascript:alert(1)>", "<JavaScript:alert(1)>", "<java\n script:alert(1)>", "<data:text/html,x>", "<file:///etc/passwd>",
        "<ftp://example.org/u>", "<//example.org/u>", "<https:example.org>", "<https://>", "<https:///u>", "<https://localhost/u>", "<u>",
        "<https://bank.example.org@evil.example/u>", "<https://exämple.org/u>", "<https://[::1/u>", "<https://example.org:99999/u>",
        '<https://example.org/"onclick=x>', "<https://example.org/\\u>", "<mailto:>", "<mailto:ben>", "<mailto:a@example.org,b@example.org>",
        "<mailto:a@example.org%2Cb@example.org>", "<mailto:a@example.org%0D%0ABcc:b@example.org>", "<mailto:A%20<b@example.org>", "<vbscript:x>",
        "NO", "", "<https://example.org/" + "u" * 5000 + ">",
    ],
)  # fmt: skip
def test_what_is_not_safe_is_left_out(value: str) -> None:
    """R-MIME-53."""
    assert read(f"List-Unsubscribe: {value}\n{POST}") is None


def test_a_line_break_gets_into_no_subject() -> None:
    """R-MIME-53."""
    found = read("List-Unsubscribe: <mailto:a@example.org?subject=x%0D%0ABcc:b@example.org>\n")
    assert found == Unsubscribe(one_click=False, mailto="mailto:a@example.org")


@given(st.text(st.sampled_from("<>htps:/mailo@example.org?subject=&%0DA,\"'() \\\t\x00ü\u202e"), max_size=200))
def test_any_value_gives_what_is_safe_or_nothing(value: str) -> None:
    """R-MIME-53."""
    found = read(f"List-Unsubscribe: <https://example.org/{value}>, <mailto:{value}>\n{POST}")
    for each in filter(None, (found.url, found.mailto) if found else ()):
        assert each.isascii()
        assert each.isprintable()
        assert each.lower().startswith(("http://", "https://", "mailto:"))
        assert not set(each) & set('"<>\\ ')
    assert found is None or not found.one_click or (found.url or "").lower().startswith("https://")

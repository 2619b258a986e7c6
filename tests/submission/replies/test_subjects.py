"""One prefix, whatever was there before."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from service.mail.submission.model import MAX_SUBJECT
from service.submission.replies.subjects import base_subject, forward_subject, reply_subject
from tests.pumps import HEADERS, growth


@pytest.mark.parametrize(
    "subject",
    [
        "Lunch", "Re: Lunch", "RE:Lunch", "re : Lunch", "Re[2]: Lunch", "RE(13): Lunch", "Re^2: Lunch", "Re*2: Lunch", "AW: Lunch", "Antw: Lunch",
        "SV: Lunch", "VS: Lunch", "RIF: Lunch", "R: Lunch", "Odp: Lunch", "YNT: Lunch", "RES: Lunch", "RÉP: Lunch", "Vá: Lunch", "ΑΠ: Lunch",
        "Отв: Lunch", "תגובה: Lunch", "رد: Lunch", "回复: Lunch", "回复：Lunch", "返信: Lunch", "답장: Lunch", "Fwd: Lunch", "FW: Lunch", "Fw:Lunch", "WG: Lunch",
        "TR: Lunch", "VB: Lunch", "VL: Lunch", "Doorst: Lunch", "I: Lunch", "RV: Lunch", "ENC: Lunch", "PD: Lunch", "İLT: Lunch", "ilt: Lunch", "Továbbítás: Lunch",
        "转发: Lunch", "إعادة توجيه: Lunch", "Chuyển tiếp: Lunch", "AW: Re: SV: Fwd: Re[4]: Lunch", "  Re:\u00a0Lunch ", "\u200fRe: Lunch", "[Fwd: Lunch]",
        "Re: [Fwd: Re: Lunch]", "Lunch (fwd)", "Re: Lunch (Fwd) (fwd)", "Re.: Lunch",
    ],
)  # fmt: skip
def test_one_prefix_is_left_in_any_language(subject: str) -> None:
    """R-SEND-33."""
    assert reply_subject(subject) == "Re: Lunch"
    assert forward_subject(subject) == "Fwd: Lunch"


@pytest.mark.parametrize(
    "subject",
    ["Report: Lunch", "Re Lunch", "Are: you there", "Retreat: Lunch", "R2: the robot", "FS: bicycle", "Ref: 123", "Re-Lunch: where", "Lunch: Re: now", "[Fwd] Lunch", "12: Lunch"],
)  # fmt: skip
def test_what_is_no_prefix_stays(subject: str) -> None:
    """R-SEND-33: no word of the subject is lost."""
    assert base_subject(subject) == subject


@pytest.mark.parametrize(
    ("subject", "reply"),
    [
        ("[list] Re: Lunch", "Re: [list] Lunch"),
        ("Re: [list] Re: [list] Lunch", "Re: [list] Lunch"),
        ("AW: [list] Aw: [list] SV: Lunch", "Re: [list] Lunch"),
        ("[list] Lunch", "Re: [list] Lunch"),
        ("[a] Re: [b] Re: Lunch", "Re: [a] [b] Lunch"),
        ("", "Re:"),
        (None, "Re:"),
        ("Re:", "Re:"),
        ("[list] Re:", "Re: [list]"),
    ],
)
def test_the_name_of_a_list_stays(subject: str | None, reply: str) -> None:
    """R-SEND-33."""
    assert reply_subject(subject) == reply
    assert reply_subject(reply) == reply


@settings(max_examples=500)
@given(
    st.lists(
        st.sampled_from(["Re:", "AW: ", "[list]", "[fwd:", "]", "(fwd)", " ", "x", "R", "：", "Re[2]", "\u200f"])
    ).map("".join)
)
def test_a_reply_to_a_reply_has_the_same_subject(subject: str) -> None:
    """R-SEND-33."""
    once = reply_subject(subject)
    assert reply_subject(once) == once
    assert reply_subject(forward_subject(once)) == once


def test_subjects_without_end_are_cut() -> None:
    """R-SEND-33."""
    assert len(reply_subject("x" * 10_000)) == MAX_SUBJECT


def test_pumped_subjects_take_linear_time() -> None:
    """R-SEND-33."""
    pieces = (
        *HEADERS,
        b"re:",
        b"[a]re:",
        b"[fwd:",
        b"(fwd)",
        b"re[2",
        b"[list] ",
        b"\xc2\xa0",
        b"Re :",
        b"]",
        b" (fwd)",
    )
    grown = growth(
        lambda octets: base_subject(octets.decode("utf-8", "replace")), pieces, (16 << 10, 32 << 10, 64 << 10), 1.0
    )
    assert not grown, "\n".join(map(str, grown))
    assert base_subject("[fwd:" * 9000 + "x" + "]" * 9000) == "x"

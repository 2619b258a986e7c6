"""Subjects, names and file names of any characters come out exactly, by two parsers. R-MIME-42."""

import re
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.mail.errors import InvalidRequest, TooLarge
from service.mail.mime.compose.values import Copied, Resolved
from service.mail.mime.headers.filenames import file_name, sent_name
from service.mail.model import Address
from service.mail.submission.model import NewDraft, NewHeader
from tests.mail.mime.compose.assembled import (
    IDENTIFIED,
    PEOPLE,
    assert_fit_to_send,
    by_ours,
    by_python,
    many,
    octets_of,
    old_python,
)

# What our reader takes out of every text it shows.
HIDDEN = re.compile("[\u202a-\u202e\u2066-\u2069\ufeff]")
WORDS = st.lists(
    st.sampled_from(["=?utf-8?q?x?=", "=?", "?=", "x" * 90, "  ", " ", "Re:", "Ünï", "漢" * 40, "🎉" * 20, '"', "\\", ",", "a@b"]), max_size=9
).map(" ".join)  # fmt: skip
PHRASE = PEOPLE | WORDS


def spaced(text: str) -> str:
    return re.sub(" {2,}", " ", HIDDEN.sub("", text)).strip()


@many
@given(subject=PHRASE)
def test_a_subject_comes_out_as_it_went_in(subject: str) -> None:
    octets = octets_of(NewDraft(subject=subject))
    assert_fit_to_send(octets)
    assert (by_python(octets)["subject"] or "") == subject
    assert (by_ours(octets).subject or "") == HIDDEN.sub("", subject).strip()


def test_a_tab_becomes_a_space() -> None:
    octets = octets_of(NewDraft(subject="a\tb", to=(Address(name="c\td", email="e@example.org"),)))
    assert b"Subject: a b\r\n" in octets
    assert b"To: c d <e@example.org>\r\n" in octets


@many
@given(name=PHRASE)
def test_a_display_name_comes_out_as_it_went_in(name: str) -> None:
    """R-MIME-42, R-SEND-01."""
    octets = octets_of(NewDraft(to=(Address(name=name, email="bob@example.org"), Address(email="eve@example.org"))))
    assert_fit_to_send(octets)
    assert [each.addr_spec for each in by_python(octets)["to"].addresses] == ["bob@example.org", "eve@example.org"]
    assert old_python(octets, "to").removesuffix("bob@example.org>, eve@example.org")
    mine = by_ours(octets).to
    assert [each.email for each in mine] == ["bob@example.org", "eve@example.org"]
    assert (mine[0].name or "") == spaced(name)
    assert mine[1].name is None


@many
@given(name=PHRASE.filter(lambda name: len(name.encode()) <= 39))
def test_a_short_display_name_is_the_same_for_python(name: str) -> None:
    """Longer ones are several encoded words, between which Python 3.11 leaves a space."""
    octets = octets_of(NewDraft(to=(Address(name=name, email="bob@example.org"),)))
    shown = name.strip() if name.isascii() and "=?" not in name else re.sub(" {2,}", " ", name).strip()
    assert by_python(octets)["to"].addresses[0].display_name == shown


@many
@given(name=PHRASE | st.text(st.characters(exclude_categories=["Cs"]), max_size=300))
def test_a_file_name_comes_out_as_it_went_in(name: str) -> None:
    """R-MIME-42, R-SEND-01."""
    octets = octets_of(NewDraft(text="x"), [Resolved(b"1", "application/x-a", name=name)])
    assert_fit_to_send(octets)
    part = next(by_python(octets).iter_attachments())
    assert part["content-disposition"].params.get("filename") == sent_name(name)
    assert by_ours(octets).attachments[0].name == file_name(sent_name(name)) or "=?" in name
    assert part.get_content() == b"1"


@many
@given(name=st.text(st.characters(exclude_categories=["C", "Z"], exclude_characters="/\\"), min_size=1, max_size=40))
def test_a_file_name_without_path_and_controls_is_kept_whole(name: str) -> None:
    kept = unicodedata.normalize("NFC", name).rstrip(".")
    assert (sent_name(name) or "") == kept or len(kept.encode()) > 240


@pytest.mark.parametrize(
    ("name", "header"),
    [
        ("plan.pdf", b'Content-Disposition: attachment; filename="plan.pdf"\r\n'),
        ("C:\\temp\\a b.pdf", b'Content-Disposition: attachment; filename="a b.pdf"\r\n'),
        ("Übung.pdf", b"Content-Disposition: attachment; filename*=utf-8''%C3%9Cbung.pdf;\r\n filename=\"Ubung.pdf\"\r\n"),
        ('a"b?=.txt', b"Content-Disposition: attachment; filename*=utf-8''a%22b%3F%3D.txt;\r\n filename=\"a_b__.txt\"\r\n"),
    ],
)  # fmt: skip
def test_a_name_that_not_all_can_read_is_written_twice(name: str, header: bytes) -> None:
    assert header in octets_of(NewDraft(), [Resolved(b"", "a/b", name=name)])


@pytest.mark.parametrize(
    ("name", "written"),
    [
        ("Ann Example", b"Ann Example <"),
        ("Example, Ann", b'"Example, Ann" <'),
        ('Ann "the" \\ Example', b'"Ann \\"the\\" \\\\ Example" <'),
        ("Ann (work)", b'"Ann (work)" <'),
        ("=?utf-8?q?Ann?=", b"=?utf-8?b?PT91dGYtOD9xP0Fubj89?= <"),
        ("Ünal", b"=?utf-8?b?w5xuYWw=?= <"),
        ("", b"bob@"),
    ],
)
def test_a_name_is_atoms_or_quoted_or_encoded(name: str, written: bytes) -> None:
    assert b"To: " + written in octets_of(NewDraft(to=(Address(name=name, email="bob@example.org"),)))


@many
@given(value=PHRASE, name=st.sampled_from(["X-Note", "X-" + "a" * 90, "Keywords"]))
def test_an_added_field_comes_out_as_it_went_in(value: str, name: str) -> None:
    octets = octets_of(NewDraft(headers=(NewHeader(name=name, value=value),)))
    assert max(map(len, octets.split(b"\r\n"))) <= 998
    assert octets.isascii()
    assert by_python(octets)[name].strip(" ") == value.strip(" ")


def test_an_added_field_with_a_grammar_is_never_encoded() -> None:
    url = f"<https://example.org/{'x' * 300}?a=?b>, <mailto:a@example.org>"
    octets = octets_of(
        NewDraft(
            headers=(
                NewHeader(name="List-Unsubscribe", value=url),
                NewHeader(name="Disposition-Notification-To", value="Ünal <u@example.org>"),
            )
        )
    )
    assert b"List-Unsubscribe: " + url.replace(", ", ",\r\n ").encode() + b"\r\n" in octets
    assert b"Disposition-Notification-To: =?utf-8?b?w5xuYWw=?= <u@example.org>\r\n" in octets


def test_a_line_beyond_998_octets_is_never_written() -> None:
    """R-MIME-44."""
    octets = octets_of(
        NewDraft(headers=(NewHeader(name="X-Key", value="k" * 2000 + " ü"), NewHeader(name="X", value="y" * 999)))
    )
    assert max(map(len, octets.split(b"\r\n"))) <= 998
    assert (by_python(octets)["x-key"], by_python(octets)["x"]) == ("k" * 2000 + " ü", "y" * 999)


def test_what_a_stranger_says_of_a_part_never_fails_a_forward() -> None:
    """R-MIME-49."""
    odd = Resolved(
        Copied("m", "1", encoded=False), "text/plain", charset="ko\ti 8\r\n", cid="a b\r\nBcc: <x>", description="\r\nBcc: a\x00ä"
    )  # fmt: skip
    octets = octets_of(NewDraft(text="x"), [odd], stored={("m", "1"): (b"x", "")})
    assert_fit_to_send(octets)
    assert by_python(octets)["bcc"] is None
    assert next(by_python(octets).iter_attachments())["content-description"] == "Bcc: aä"


def test_references_that_cannot_be_written_are_left_out() -> None:
    """R-MIME-49."""
    ids = (
        "1@example.org",
        "a b",
        "ä@x",
        "\r\nBcc: x",
        "",
        "x" * 901,
        *(f"{'y' * 60}{number}@example.org" for number in range(99)),
    )
    from dataclasses import replace

    octets = octets_of(NewDraft(), identified=replace(IDENTIFIED, references=ids, in_reply_to=ids[:2]))
    assert_fit_to_send(octets)
    assert by_ours(octets).references == (ids[0], *ids[6:])
    assert by_ours(octets).in_reply_to == (ids[0],)


def test_a_name_or_a_header_beyond_measure_is_refused() -> None:
    """R-MIME-47."""
    with pytest.raises(InvalidRequest, match="more than 1000 characters"):
        octets_of(NewDraft(to=(Address(name="x" * 1001, email="a@example.org"),)))
    with pytest.raises(TooLarge, match="256 KiB"):
        octets_of(NewDraft(to=tuple(Address(name="x" * 300, email=f"{n}@example.org") for n in range(1000))))

"""No field of a draft adds a field to the message. R-SEND-01."""

from contextlib import suppress
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from service.mail.errors import InvalidRequest
from service.mail.mime.compose.header import internal_fields
from service.mail.mime.compose.values import Copied, Identified, Resolved
from service.mail.model import Address
from service.mail.submission.model import NewDraft, NewHeader
from tests.mail.mime.compose.assembled import (
    IDENTIFIED,
    INJECTED,
    assert_fit_to_send,
    by_ours,
    by_python,
    many,
    octets_of,
    sent,
)

ALWAYS = {"date", "from", "message-id", "mime-version", "content-type"}
OWN = ALWAYS | {"to", "cc", "reply-to", "subject", "in-reply-to", "references", "content-transfer-encoding"}
OWN_OF_PARTS = {"content-type", "content-transfer-encoding", "content-disposition", "content-id", "content-description"}
FIELDS = (
    "subject", "name", "email", "from name", "from email", "added name", "added value", "file name", "cid", "copied cid", "type",
    "charset", "description", "disposition", "message id", "reference", "in reply to", "internal name", "internal value", "text", "html",
)  # fmt: skip


def injected(field: str, evil: str) -> bytes:
    """A draft with the text in that field."""

    def at(name: str, ordinary: str) -> str:
        return evil if field == name else ordinary

    draft = NewDraft(
        from_=Address(name=at("from name", "Ann"), email=at("from email", "ann@example.org")),
        to=(Address(name=at("name", "Bob"), email=at("email", "bob@example.org")),),
        bcc=(Address(email="secret@example.org"),),
        subject=at("subject", "s"),
        text=at("text", "t"),
        html=at("html", "h"),
        headers=(NewHeader(name=at("added name", "X-Note"), value=at("added value", "v")),),
    )
    resolved = Resolved(
        b"content",
        at("type", "text/plain"),
        charset=at("charset", "utf-8"),
        name=at("file name", "a"),
        cid=at("cid", "c"),
        description=at("description", "d"),
        disposition=at("disposition", "inline"),
    )
    copied = Resolved(Copied("m", "1", encoded=False), "image/png", cid=at("copied cid", "c"))
    identified = Identified(
        at("message id", "1@x"),
        IDENTIFIED.date,
        references=(at("reference", "2@x"),),
        in_reply_to=(at("in reply to", "3@x"),),
        internal=((at("internal name", "X-Casella-Key"), at("internal value", "k")),),
    )
    return octets_of(draft, [resolved, copied], identified, {("m", "1"): (b"png", "8bit")})


@pytest.mark.parametrize("field", FIELDS)
def test_the_fields_are_those_of_a_harmless_draft(field: str) -> None:
    assert_harmless(
        injected(field, "harmless@example.org")
        if field not in {"type", "internal name", "added name"}
        else injected("", "")
    )


@many
@given(field=st.sampled_from(FIELDS), evil=INJECTED | st.just("\r\nBcc: x@example.org"))
def test_no_text_in_any_field_adds_a_field(field: str, evil: str) -> None:
    """R-SEND-01, R-SEND-02."""
    with suppress(InvalidRequest, ValidationError):
        assert_harmless(injected(field, evil))


def assert_harmless(stored: bytes) -> None:
    octets = sent(stored)
    assert_fit_to_send(octets, is_utf8=not octets.isascii())
    mail = by_python(octets)
    names = [name.lower() for name in mail]
    added = [name for name in names if name not in OWN]
    assert len(added) <= 1
    assert set(added) & {"bcc", "x-evil"} == set()
    assert len(names) == len(set(names))
    assert set(names) >= ALWAYS
    assert [each.addr_spec for each in by_python(stored)["bcc"].addresses] == ["secret@example.org"]
    assert [each.email for each in by_ours(stored).bcc] == ["secret@example.org"]
    assert by_ours(octets).bcc == ()
    parts = [part for part in mail.walk() if part is not mail]
    assert [part.get_content_maintype() for part in parts[:3]] == ["multipart", "text", "text"]
    assert len(parts) == 5
    assert all(name.lower() in OWN_OF_PARTS for part in parts for name in part)


@pytest.mark.parametrize("control", ["\r", "\n", "\0", "\r\n ", "\x1b", "\x7f", "\x85", "\u2028"], ids=ascii)
@pytest.mark.parametrize(
    "field", ["subject", "name", "email", "from name", "from email", "added name", "added value", "cid", "type", "message id", "internal value", "internal name"]
)  # fmt: skip
def test_a_control_in_what_the_user_gives_is_refused(field: str, control: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        injected(field, f"a{control}Bcc: x@example.org")
    assert caught.value.detail.isprintable()


@pytest.mark.parametrize(
    "name",
    [
        "From", "to", "CC", "Bcc", "Date", "Message-ID", "MIME-Version", "Content-Type", "content-anything", "Received", "Return-Path",
        "DKIM-Signature", "Resent-Bcc", "In-Reply-To", "References", "X-Casella-Key", "x-casella-", "Subject", "Sender", "Reply-To",
    ],
)  # fmt: skip
def test_a_field_that_the_service_sets_cannot_be_added(name: str) -> None:
    """R-SEND-08."""
    with pytest.raises(InvalidRequest, match="The service sets"):
        octets_of(NewDraft(headers=(NewHeader(name=name, value="x"),)))


@pytest.mark.parametrize(
    "name", ["X Note", "X-Note:", "Bcc ", "", "Ü", "a\r\nBcc", "(x)", " Bcc", "Bcc\t", "<x>"], ids=ascii
)
def test_a_name_that_is_no_token_cannot_be_added(name: str) -> None:
    """R-SEND-08."""
    with pytest.raises((InvalidRequest, ValidationError)):
        octets_of(NewDraft(headers=(NewHeader(name=name, value="x"),)))


def test_fields_of_the_service_are_read_back_and_never_sent() -> None:
    """R-SEND-07."""
    values = (("X-Casella-Reply", "a" * 3000), ("X-Casella-Key", "k"))
    octets = octets_of(NewDraft(), identified=replace(IDENTIFIED, internal=values))
    assert_fit_to_send(octets)
    assert internal_fields(octets) == {"x-casella-reply": "a" * 3000, "x-casella-key": "k"}
    assert b"casella-" not in sent(octets).lower()


def test_only_fields_that_are_never_sent_are_the_services_own() -> None:
    """R-SEND-07."""
    with pytest.raises(InvalidRequest):
        octets_of(NewDraft(), identified=replace(IDENTIFIED, internal=(("X-Other", "x"),)))

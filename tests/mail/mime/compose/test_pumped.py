"""Composing and sending take linear time for any short text of a grammar, repeated without end. R-MIME-47."""

from collections.abc import Callable
from contextlib import suppress
from time import thread_time

import pytest

from service.mail.errors import MailError
from service.mail.mime.compose.addresses import check_address
from service.mail.mime.compose.drafts import read_draft
from service.mail.mime.compose.envelope import envelope_of
from service.mail.mime.compose.header import internal_fields
from service.mail.mime.compose.outgoing import Outgoing
from service.mail.mime.compose.values import Resolved
from service.mail.model import Address
from service.mail.submission.model import NewDraft, NewHeader
from tests.mail.mime.compose.assembled import by_ours, octets_of
from tests.pumps import BODIES, HEADERS, HTML, LONG, growth

BOUND = 2.0


def of_text(read: Callable[[str], object]) -> Callable[[bytes], object]:
    return lambda octets: read(octets.decode("latin-1"))


def field(octets: bytes) -> None:
    envelope_of(b"From: a@example.org\r\nTo: " + octets + b"\r\n\r\n")


def passed(octets: bytes) -> None:
    outgoing = Outgoing()
    with suppress(MailError):
        outgoing.feed(octets)
        outgoing.finish()


def in_pieces(octets: bytes) -> None:
    outgoing = Outgoing()
    for at in range(0, len(octets), 16):
        outgoing.feed(octets[at : at + 16])


def forwarded(text: str) -> None:
    """What a stranger's message says of its parts."""
    octets_of(NewDraft(text="x"), [Resolved(b"", "a/b", name=text, cid="c", description=text)])


def copied_type(text: str) -> None:
    octets_of(NewDraft(text="x"), [Resolved(b"", f"text/plain; {text}", charset=text)])


def alternatives(text: str) -> None:
    octets_of(NewDraft(text=text, html=text), [Resolved(b"", "a/b", cid="c")])


SUBJECTS: dict[str, tuple[Callable[[bytes], object], tuple[bytes, ...], int]] = {
    "subject": (of_text(lambda text: octets_of(NewDraft.model_construct(subject=text))), HEADERS, 64 << 10),
    "added": (of_text(lambda text: octets_of(NewDraft(headers=(NewHeader.model_construct(name="X", value=text),)))), HEADERS, 64 << 10),
    "mail-followup-to": (
        of_text(lambda text: octets_of(NewDraft(headers=(NewHeader.model_construct(name="Mail-Followup-To", value=text),)))), HEADERS, 64 << 10,
    ),
    "name": (of_text(lambda text: octets_of(NewDraft(to=(Address(name=text, email="a@example.org"),)))), HEADERS, 64 << 10),
    "address": (of_text(check_address), HEADERS, 64 << 10),
    "part": (of_text(forwarded), HEADERS, 64 << 10),
    "type": (of_text(copied_type), HEADERS, 64 << 10),
    "text": (of_text(lambda text: octets_of(NewDraft(text=text))), BODIES, 256 << 10),
    "html": (of_text(alternatives), (*HTML, b"cid:", b"cid:a ", b"From "), 256 << 10),
    "envelope": (field, HEADERS, 64 << 10),
    "outgoing": (passed, (*HEADERS, *BODIES, b"Bcc: a\r\n", b"\n\0", b"Bcc", b"\nx-casella-"), 512 << 10),
    "outgoing in pieces": (in_pieces, (*HEADERS, *BODIES, b"Bcc: a\r\n", b"\n\0", b"\nx-casella-"), 256 << 10),
    "internal": (internal_fields, HEADERS, 64 << 10),
    "draft": (lambda octets: read_draft(by_ours(octets)), HEADERS, 64 << 10),
}  # fmt: skip


@pytest.mark.parametrize("name", SUBJECTS)
def test_time_is_linear_in_what_is_written(name: str) -> None:
    function, prefixes, most = SUBJECTS[name]
    most = most if LONG else most // 2
    assert [str(each) for each in growth(function, prefixes, (most // 4, most // 2, most), BOUND)] == []


def test_the_most_recipients_take_no_long_time() -> None:
    addresses = tuple(Address(name=f"Bob Ünal {n}", email=f"bob{n}@bücher.example") for n in range(1000))
    began = thread_time()
    octets = octets_of(NewDraft(to=addresses))
    assert len(envelope_of(octets.partition(b"\r\n\r\n")[0]).recipients) == 1000
    assert thread_time() - began < 2

"""Mail that did not shape the parser: what Python's own package writes, and what it is tested with."""

import email
import unicodedata
from collections.abc import Iterable, Iterator
from email import policy
from email.headerregistry import Address
from email.message import EmailMessage
from importlib.util import find_spec
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from service.mail.mime.message import read_message
from service.mail.mime.structure import parse
from service.mail.model import Message
from tests.corpus import PUBLIC, needs_public
from tests.mail.mime.test_corpus import leaves, octets

WORDS = st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Cs", "Zl", "Zp"]), max_size=60).map(
    lambda text: " ".join(text.split())
)
TEXT = st.lists(WORDS, max_size=8).map("\n".join)
NAME = (
    st.from_regex(r"[\w -]{1,40}", fullmatch=True)
    .map(lambda name: unicodedata.normalize("NFC", name).strip())
    .filter(bool)
)
FILES = st.lists(st.tuples(NAME, st.binary(max_size=300)), max_size=4)
SUFFIXES = {".eml", ".msg", ".txt"}


def read(source: bytes) -> Message:
    return read_message(source, id="m", folder_id="f", size=len(source))


@settings(max_examples=300, deadline=None)
@given(subject=WORDS, name=NAME, text=TEXT, html=st.none() | WORDS, files=FILES, inner=st.none() | WORDS)
def test_what_another_program_writes_is_read_as_it_was_meant(
    subject: str, name: str, text: str, html: str | None, files: list[tuple[str, bytes]], inner: str | None
) -> None:
    """R-MIME-03: words, names, texts, octets, alternatives and mail within mail."""
    mail = EmailMessage(policy=policy.SMTP)
    mail["Subject"] = subject
    mail["From"] = Address(name, "ann", "example.org")
    mail.set_content(text)
    if html is not None:
        mail.add_alternative(f"<p>{html}</p>", subtype="html")
    for file, content in files:
        mail.add_attachment(content, maintype="application", subtype="octet-stream", filename=file + ".bin")
    if inner is not None:
        attached = EmailMessage(policy=policy.SMTP)
        attached["Subject"] = inner
        attached.set_content("within")
        mail.add_attachment(attached)
    source = mail.as_bytes()
    message = read(source)
    assert (message.subject or "") == subject
    sender = [("".join((one.name or "").split()), one.email) for one in message.from_ or ()]
    # Python folds a long name between two encoded words and forgets the space there (RFC 2047, 6.2)
    assert sender == [("".join(name.split()), "ann@example.org")]
    assert (message.body.text or "").split() == text.split()
    binary = [octets(source, leaf) for leaf in leaves(parse(source)) if leaf.part.type == "application/octet-stream"]
    assert binary == [content for _, content in files]
    assert [part.name for part in message.attachments if part.type == "application/octet-stream"] == [
        f"{file}.bin" for file, _ in files
    ]
    assert any(part.type == "message/rfc822" for part in message.attachments) is (inner is not None)


def agreement(files: Iterable[Path]) -> float:
    """In how many of them Python reads the same subject and senders, of those it can read."""
    told = [one for file in files for one in _same(file.read_bytes())]
    return sum(told) / len(told)


def _same(source: bytes) -> Iterator[bool]:
    source = source if b"\r\n" in source else source.replace(b"\n", b"\r\n")
    other = email.message_from_bytes(source, policy=policy.default)
    try:
        subject = other["subject"] or ""
        senders = [each.addr_spec for each in other["from"].addresses] if other["from"] else []
    except Exception:
        return  # not all that is broken is read by it
    message = read(source)
    yield (message.subject or "").split() == subject.split() and [one.email for one in message.from_ or ()] == senders


@needs_public
def test_mail_of_elsewhere_is_read_as_well_as_the_corpus() -> None:
    """R-MIME-03."""
    tested = find_spec("test.test_email")
    if tested is None or tested.origin is None:
        pytest.skip("this Python comes without its own tests, whose mail this reads")
    elsewhere = agreement(sorted((Path(tested.origin).parent / "data").glob("msg_*.txt")))
    known = agreement(file for file in sorted(PUBLIC.rglob("*")) if file.suffix in SUFFIXES)
    assert elsewhere > known - 0.02

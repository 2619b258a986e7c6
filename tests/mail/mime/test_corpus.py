"""Messages of the field, and what other parsers made of them.

This public mail is no part of this repository; ``CASELLA_CORPUS`` names its folder.
"""

import json
import re
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from service.adapters.shared.sandbox_worker import JOBS
from service.mail.mime.charset import decode_text
from service.mail.mime.headers.addresses import parse_addresses
from service.mail.mime.headers.dates import parse_date
from service.mail.mime.headers.parameters import parse_parameters
from service.mail.mime.headers.words import decode_words
from service.mail.mime.message import read_message
from service.mail.mime.structure import Entity, parse
from service.mail.mime.transfer.decoding import decode
from tests.corpus import PUBLIC, needs_public

pytestmark = needs_public

STALWART = PUBLIC / "stalwart-mail-parser"
MIME4J = PUBLIC / "james-mime4j" / "testmsgs"

# Where the source parser and this one differ, and why. A fix that makes one agree has to take its line out.
OTHER_TREES = {
    "malformed/000": "parts without empty lines are parts",
    "malformed/001": "a boundary is matched in full",
    "malformed/004": "a boundary is matched in full",
    "malformed/007": "a delimiter ends a header without empty line",
    "malformed/009": "the outer boundary closes the inner multipart, and its part is kept",
    "malformed/011": "the outer boundary closes the inner multipart, and its part is kept",
    "malformed/012": "the outer boundary closes the inner multipart, and its part is kept",
    "malformed/016": "a boundary is matched in full",
    "malformed/019": "text in a header is skipped, parts are kept",
    "malformed/020": "a delimiter ends a header without empty line",
    "malformed/022": "a message without header is one",
    "malformed/021": "a delimiter ends a header without empty line",
    "rfc/008": "an encoded message is not opened",
    "thirdparty/015": "several attached messages stay several",
}
OTHER_TEXTS = {
    "legacy/026": "uuencode is decoded",
    "legacy/033": "text that is not UTF-8 is read as windows-1252",
    "legacy/052": "text that is not UTF-8 is read as windows-1252",
    "rfc/000": "words that are no base64",
    "thirdparty/000": "NUL is replaced",
    "thirdparty/002": "base64 is read on behind its padding",
    "thirdparty/005": "a delimiter begins a line",
}
OTHER_BODIES = {
    "bad-newlines-multiple-parts-base64": "an encoded message is not opened",
    "base64encoded-rfc822message": "an encoded message is not opened",
    "base64encoded-rfc822message-nested": "an encoded message is not opened",
    "malformedHeader-noheader": "text without header is body, and none of it is lost",
    "malformedHeaderStartsBody-noheader": "the whole of a text without header is body",
    "malformedHeaderStartsBody-nocrlfcrlf": "a line without colon in a header is skipped",
    "very-long-boundary": "a boundary does not end in spaces (RFC 2046, 5.1.1)",
    "very-very-long-boundary": "a boundary does not end in spaces (RFC 2046, 5.1.1)",
    "weird-boundary": "a boundary does not end in spaces (RFC 2046, 5.1.1)",
}


def leaves(entity: Entity) -> list[Entity]:
    """Leaves, through attached messages; a multipart without parts has none."""
    if entity.part.type.startswith("multipart/") and not entity.children:
        return []
    return [leaf for child in entity.children for leaf in leaves(child)] if entity.children else [entity]


def octets(source: bytes, entity: Entity) -> bytes:
    return decode(source[entity.body_start : entity.stop], entity.part.encoding)


def same(one: bytes | str, other: bytes | str) -> bool:
    return one.split() == other.split()


def test_every_file_is_read_quickly_and_is_json() -> None:
    """R-MIME-01."""
    files = [path for path in sorted(PUBLIC.rglob("*")) if path.is_file()]
    assert len(files) > 400
    for path in files:
        source = path.read_bytes()
        start = time.process_time()
        json.loads(read_message(source, id="m", folder_id="f", size=len(source)).model_dump_json())
        assert time.process_time() - start < 1, path


def test_every_file_is_the_same_from_the_sandbox() -> None:
    """R-MIME-01: what is found in another process travels as JSON."""
    for path in PUBLIC.rglob("*"):
        if path.is_file():
            source = path.read_bytes()
            for job in JOBS.values():
                assert job.load(job.dump(source)) == job.work(source), path


def shape(entity: Entity) -> Iterator[tuple[str, Entity]]:
    """The tree as a flat list; an attached message is one entry."""
    if entity.part.type.startswith("message/") and entity.children:
        yield "Message", entity
        return
    yield "Multipart" if entity.children else "Leaf", entity
    for child in entity.children:
        yield from shape(child)


def expected_shape(parts: list[dict[str, Any]], number: int = 0) -> Iterator[tuple[str, dict[str, Any]]]:
    part = parts[number]
    kind = next(iter(part["body"]))
    yield kind if kind in {"Multipart", "Message"} else "Leaf", part
    for child in part["body"].get("Multipart", ()):
        yield from expected_shape(parts, child)


def trees() -> Iterator[tuple[str, list[tuple[str, Entity]], list[tuple[str, dict[str, Any]]], bytes]]:
    for path in sorted(STALWART.rglob("*.json")):
        name = path.relative_to(STALWART).with_suffix("").as_posix()
        if not name.startswith("headers/"):
            source = path.with_suffix(".eml").read_bytes()
            yield name, list(shape(parse(source))), list(expected_shape(json.loads(path.read_text())["parts"])), source


def test_trees_are_those_of_another_parser() -> None:
    """R-MIME-02."""
    other = {name for name, ours, theirs, _ in trees() if [kind for kind, _ in ours] != [kind for kind, _ in theirs]}
    assert other == set(OTHER_TREES)


def test_texts_are_those_of_another_parser() -> None:
    """R-MIME-02."""
    other = set()
    for name, ours, theirs, source in trees():
        if name in OTHER_TREES:
            continue
        for (_, entity), (_, part) in zip(ours, theirs, strict=True):
            text = part["body"].get("Text", part["body"].get("Html"))
            if text is not None and not same(decode_text(octets(source, entity), entity.part.charset).text, text):
                other.add(name)
    assert other == set(OTHER_TEXTS)


def attribute(part: dict[str, Any], header: str, name: str) -> str | None:
    for field in part["headers"]:
        value = field["value"].get("ContentType") if isinstance(field["value"], dict) else None
        if field["name"] == header and value:
            return next((each["value"] for each in value["attributes"] or () if each["name"] == name), None)
    return None


def test_file_names_are_those_of_another_parser() -> None:
    """R-MIME-02, R-MIME-17."""
    seen = 0
    for name, ours, theirs, _ in trees():
        if name in OTHER_TREES:
            continue
        for (_, entity), (_, part) in zip(ours, theirs, strict=True):
            expected = attribute(part, "content_disposition", "filename") or attribute(part, "content_type", "name")
            if expected and not set(expected) & set('/\\:?*"<>|\ufffd'):
                seen += 1
                assert entity.part.name == " ".join(expected.split()), name
    assert seen > 20


def body_names(path: Path) -> list[str]:
    """Some of these files are not well-formed XML."""
    return re.findall(r'<(?:text|binary)-body name="([^"]*)"', path.read_text("latin-1"))


def test_bodies_are_those_of_a_third_parser() -> None:
    """R-MIME-02, R-MIME-05."""
    other = set()
    for path in sorted(MIME4J.glob("*.msg")):
        source = path.read_bytes()
        theirs = [(MIME4J / name).read_bytes() for name in body_names(path.with_name(f"{path.stem}_decoded.xml"))]
        ours = [octets(source, leaf) for leaf in leaves(parse(source))]
        if len(ours) != len(theirs) or not all(map(same, ours, theirs)):
            other.add(path.stem)
    assert other == set(OTHER_BODIES)


def test_attachments_decode_to_the_known_files() -> None:
    """R-MIME-02."""
    known = {path.name: path.read_bytes() for path in (PUBLIC / "mail-mime-parser" / "expected-attachments").iterdir()}
    seen = set()
    for path in [*(PUBLIC / "mail-mime-parser" / "emails").iterdir(), *STALWART.rglob("*.eml")]:
        source = path.read_bytes()
        for leaf in leaves(parse(source)):
            if (name := leaf.part.name) in known and name is not None and octets(source, leaf) == known[name]:
                seen.add(name)
    assert {"redball.png", "blueball.png", "greenball.png"} <= seen


def header_cases(name: str) -> list[tuple[bytes, Any]]:
    cases = json.loads((STALWART / "headers" / f"{name}.json").read_text())
    # A field ends at the first line that does not continue it.
    ends = re.compile(r"\r?\n(?![ \t])")
    return [(ends.split(case["header"], maxsplit=1)[0].encode(), case["expected"]) for case in cases]


def agreement(found: list[bool]) -> float:
    return sum(found) / len(found)


def expected_addresses(expected: Any) -> list[tuple[str | None, str | None]]:
    if not expected:
        return []
    listed = expected.get("List") or [each for group in expected["Group"] for each in group["addresses"]]
    return [(each["name"], each["address"]) for each in listed]


def test_addresses_are_those_of_another_parser() -> None:
    """R-MIME-02. The others differ in where comments go."""
    found = [
        [(each.name, each.email) for each in parse_addresses(raw)] == expected_addresses(expected)
        for raw, expected in header_cases("address")
    ]
    assert agreement(found) > 0.84


def test_dates_are_those_of_another_parser() -> None:
    """R-MIME-02. The others are numbers without a month's name, and a zone of eight letters."""
    found = []
    for raw, expected in header_cases("date"):
        date = parse_date(raw)
        if date is None or expected is None:
            found.append(date is expected)
            continue
        names = ("year", "month", "day", "hour", "minute", "second")
        found.append([getattr(date, name) for name in names] == [expected[name] for name in names])
    assert agreement(found) > 0.94


def test_texts_of_headers_are_those_of_another_parser() -> None:
    """R-MIME-02, R-MIME-10. The others put a space before an encoded word that stands without one."""
    found = [same(decode_words(raw), expected) for raw, expected in header_cases("unstructured")]
    assert agreement(found) > 0.89


def test_types_are_those_of_another_parser() -> None:
    """R-MIME-02. The others are halves of types."""
    found = []
    for raw, expected in header_cases("content_type"):
        kind = f"{expected['c_type']}/{expected['c_subtype'] or ''}".rstrip("/") if expected else ""
        found.append(parse_parameters(raw)[0] == kind.lower())
    assert agreement(found) > 0.8


@pytest.mark.parametrize(
    ("name", "parts"),
    [("simple-multipart.eml", 2), ("multipart-digest.txt", 1), ("epilogue.txt", 2), ("body.1.txt", 0)],
)
def test_odd_structures_keep_their_parts(name: str, parts: int) -> None:
    """R-MIME-02."""
    root = parse((PUBLIC / "mimekit" / "messages" / name).read_bytes())
    assert not root.is_truncated
    assert len(root.children) >= parts


def test_a_message_made_to_overflow_a_stack_is_read() -> None:
    """R-MIME-04."""
    source = (PUBLIC / "mimekit" / "messages" / "stack-overflow.txt").read_bytes()
    assert read_message(source, id="m", folder_id="f", size=len(source)).structure.id in {"0", "1"}


def comparisons() -> Iterator[bool]:
    """Part count, types, file names and decoded texts of what is not malformed on purpose, one by one."""
    for name, ours, theirs, source in trees():
        if name.startswith("malformed/"):
            continue
        yield len(ours) == len(theirs)
        for (kind, entity), (other, part) in zip(ours, theirs, strict=False):
            yield kind == other
            expected = attribute(part, "content_disposition", "filename") or attribute(part, "content_type", "name")
            if expected and not set(expected) & set('/\\:?*"<>|\ufffd'):
                yield entity.part.name == " ".join(expected.split())
            text = part["body"].get("Text", part["body"].get("Html"))
            if text is not None:
                yield same(decode_text(octets(source, entity), entity.part.charset).text, text)
    for path in sorted(MIME4J.glob("[!m]*.msg")):
        source, names = path.read_bytes(), body_names(path.with_name(f"{path.stem}_decoded.xml"))
        ours_of = [octets(source, leaf) for leaf in leaves(parse(source))]
        yield len(ours_of) == len(names)
        yield from (same(one, (MIME4J / name).read_bytes()) for one, name in zip(ours_of, names, strict=False))


def test_mail_that_is_not_malformed_on_purpose_agrees_in_nineteen_of_twenty() -> None:
    """R-MIME-02. The exceptions are named above, each with its reason."""
    found = list(comparisons())
    assert len(found) > 600
    assert agreement(found) > 0.95

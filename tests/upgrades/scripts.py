"""What a server, or who sits between, may do where TLS is to begin: one part for IMAP and POP3, each a row of a table.

A row says how the request may end; ``GOOD`` is signed in, with what the server said under TLS.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from itertools import product

from service.mail.errors import (
    MailError,
    UpstreamProtocol,
    UpstreamTimeout,
    UpstreamTls,
    UpstreamUnavailable,
)
from tests.upgrades.server import End, Script, Stage

GOOD = None
Ends = frozenset[type[MailError] | None]
WELL: Ends = frozenset({GOOD})
TLS: Ends = frozenset({UpstreamTls})
BROKEN: Ends = frozenset({UpstreamProtocol})
LATE: Ends = frozenset({UpstreamTimeout})
AWAY: Ends = frozenset({UpstreamUnavailable})
NO_HANDSHAKE: Ends = TLS | AWAY | LATE
"""Octets in clear for records of TLS: whether that is an error of TLS, an end or a wait depends on what they look like."""


@dataclass(frozen=True)
class Row:
    """One script, and how the request may end."""

    name: str
    script: Script
    ends: Ends
    certificate: str = "good"


@dataclass(frozen=True)
class Dialect:
    """A protocol's words."""

    usual: Script
    consent: bytes
    injections: Mapping[str, bytes]
    greetings: Mapping[str, tuple[bytes, Ends]]
    answers: Mapping[str, tuple[bytes, Ends]]
    """To STARTTLS or STLS."""
    outside: Mapping[str, tuple[Mapping[bytes, bytes], Ends]] = field(default_factory=dict)
    """Answers in clear to other commands."""
    inside: Mapping[str, tuple[Mapping[bytes, bytes], Ends]] = field(default_factory=dict)
    """Answers under TLS."""
    unasked: Mapping[str, tuple[bytes, Ends]] = field(default_factory=dict)
    """Said under TLS before anything was asked."""


RECORDS = {
    "a record of no kind": b"\x16\x03\x01\xff\xff" + b"x" * 40,
    "an alert": b"\x15\x03\x03\x00\x02\x02\x28",
    "a change of cipher": b"\x14\x03\x03\x00\x01\x01",
    "a client's hello": b"\x16\x03\x01\x00\x05\x01\x00\x00\x01\x03",
    "half a record": b"\x16\x03",
}
"""What looks like TLS to who looks at the first octets. It is TLS that has to see through it; some of it has no effect."""
STAGES = {
    "the same segment": (Stage.CONSENTED, TLS),
    "the next segment": (None, NO_HANDSHAKE),
    "after the hello": (Stage.HELLO, NO_HANDSHAKE),
    "in the handshake": (Stage.FLIGHT, NO_HANDSHAKE),
}
CERTIFICATES = ("expired", "other host", "self-signed")


def rows(dialect: Dialect) -> Iterator[Row]:
    """All of them, each with a name of its own."""
    usual = dialect.usual
    yield Row("as it should be", usual, WELL)
    yield from _injected(dialect)
    yield from _said(dialect)
    yield from _ended(usual)
    for certificate, (name, (greeting, ends)) in product(CERTIFICATES, dialect.greetings.items()):
        if ends == WELL:
            yield Row(f"certificate: {certificate}, {name}", replace(usual, greeting=greeting), TLS, certificate)


def _injected(dialect: Dialect) -> Iterator[Row]:
    usual = dialect.usual
    for (what, octets), (when, (stage, ends)) in product({**dialect.injections, **RECORDS}.items(), STAGES.items()):
        is_record = what in RECORDS and stage is not Stage.CONSENTED
        script = replace(usual, injected={stage: octets}) if stage else replace(usual, segment=octets)
        yield Row(f"injected: {what}, {when}", script, ends | WELL | BROKEN if is_record else ends)


def _said(dialect: Dialect) -> Iterator[Row]:
    usual = dialect.usual
    for name, (greeting, ends) in dialect.greetings.items():
        yield Row(f"greeting: {name}", replace(usual, greeting=greeting), ends)
    for name, (answer, ends) in dialect.answers.items():
        outside = {**usual.outside, dialect.consent: answer}
        yield Row(f"answer: {name}", replace(usual, outside=outside, consents=GOOD in ends), ends)
    for name, (answers, ends) in dialect.outside.items():
        yield Row(f"outside: {name}", replace(usual, outside={**usual.outside, **answers}), ends)
    for name, (answers, ends) in dialect.inside.items():
        yield Row(f"inside: {name}", replace(usual, inside={**usual.inside, **answers}), ends)
    for name, (octets, ends) in dialect.unasked.items():
        yield Row(f"unasked: {name}", replace(usual, injected={Stage.SECURE: octets}), ends)


def _ended(usual: Script) -> Iterator[Row]:
    """The connection ends, or nothing more is said, at each step."""
    for stage, end in product((stage for stage in Stage if stage is not Stage.NEVER), End):
        expected = LATE if end is End.HANG else AWAY | TLS
        yield Row(f"ends: {stage.name.lower()}, {end.name.lower()}", replace(usual, stops=stage, ends=end), expected)

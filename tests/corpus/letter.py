"""A message and what has to be read from it."""

from dataclasses import dataclass

PLAIN = "1 text/plain"
SENDER = "ann@example.org"
_FIELDS = (
    "From: Ann Example <ann@example.org>\n"
    "To: ben@example.org\n"
    "Subject: {name}\n"
    "Date: Thu, 01 Oct 2026 09:30:00 +0200\n"
    "Message-ID: <{name}@example.org>\n"
    "MIME-Version: 1.0\n"
)


@dataclass(frozen=True, kw_only=True)
class Letter:
    """``outline`` is ids and types of all parts, in order. What is None is not compared."""

    name: str
    octets: bytes
    case: str
    """The fault case it belongs to."""
    outline: str | None = PLAIN
    subject: str | None = None
    senders: tuple[str, ...] | None = None
    sent: str | None = None
    """The Date field as an ISO time, empty where it is no date."""
    text: str | None = None
    """The body's text; spaces and line ends are not compared."""
    files: tuple[str, ...] | None = None
    """The names of the parts that have one."""
    content: tuple[str, bytes] | None = None
    """A part's id and its decoded octets."""
    hidden: tuple[str, ...] = ()
    """What the safe HTML must not hold."""
    warnings: tuple[str, ...] = ()
    """Some of the body's."""
    is_converted: bool = False
    """Whether the HTML of the body is joined from several parts, or was in another charset."""


def wire(text: str) -> bytes:
    """With the line ends of the wire, in UTF-8."""
    return text.replace("\n", "\r\n").encode()


def written(
    name: str,
    body: str | bytes = "Hello.\n",
    *,
    case: str,
    more: str = "",
    outline: str | None = PLAIN,
    text: str | None = None,
    files: tuple[str, ...] | None = None,
    content: tuple[str, bytes] | None = None,
    hidden: tuple[str, ...] = (),
    warnings: tuple[str, ...] = (),
    is_converted: bool = False,
) -> Letter:
    """A letter with a usual header, which ``more`` continues."""
    head = wire(_FIELDS.format(name=name) + more + "\n")
    return Letter(
        name=name,
        octets=head + (body if isinstance(body, bytes) else wire(body)),
        case=case,
        outline=outline,
        subject=name,
        senders=(SENDER,),
        sent="2026-10-01T09:30:00+02:00",
        text=text,
        files=files,
        content=content,
        hidden=hidden,
        warnings=warnings,
        is_converted=is_converted,
    )

"""Messages to answer."""

from datetime import datetime
from typing import Any

from service.mail.mime.headers.fields import list_headers
from service.mail.mime.message import read_message
from service.mail.model import Address, Header, Message, MessageBody, Part

TEXT = Part(id="1", type="text/plain")
SENT = datetime.fromisoformat("2026-10-01T09:30:00+02:00")


def people(*emails: str) -> tuple[Address, ...]:
    """Without names."""
    return tuple(Address(email=email) for email in emails)


def emails(addresses: tuple[Address, ...]) -> list[str]:
    return [each.email for each in addresses]


def message(**fields: Any) -> Message:
    """From ann to ben, unless fields say otherwise; addresses may be texts."""
    body = MessageBody(text=fields.pop("text", "Shall we?\n"), html=fields.pop("html", None))
    for name in ("from_", "to", "cc", "bcc", "reply_to", "sender"):
        if isinstance(value := fields.get(name), str):
            fields[name] = people(*value.split())
    made: dict[str, Any] = {
        "id": "m-1", "folder_id": "f", "structure": TEXT, "body": body, "from_": (Address(name="Ann", email="ann@example.org"),),
        "to": people("ben@example.org"), "subject": "Lunch", "message_id": "sent-1@example.org", "sent_at": SENT,
    }  # fmt: skip
    return Message(**made | fields)


def headers(**fields: str) -> tuple[Header, ...]:
    """``list_post="<mailto:…>"`` for List-Post."""
    named = {name.replace("_", "-").title(): value for name, value in fields.items()}
    return tuple(Header(name=name, value=value, raw=f" {value}") for name, value in named.items())


def parsed(octets: bytes) -> tuple[Message, tuple[Header, ...]]:
    """A message as adapters read it, and its headers."""
    return read_message(octets, id="m-1", folder_id="f", size=len(octets)), list_headers(octets)

"""Parameters that several routes share, and header fields that the contract declares for them."""

from datetime import UTC, datetime
from typing import Annotated, Any

from fastapi import Path
from pydantic import AfterValidator, AwareDatetime, BeforeValidator

from service.mail.errors import InvalidField

AccountId = Annotated[str, Path(description="`me`, or the id of the signed-in account.", examples=["me"])]
FolderId = Annotated[
    str,
    Path(
        description="A folder's id, or a role: inbox, sent, drafts, trash, junk, archive, all, flagged.",
        examples=["inbox"],
    ),
]
MessageId = Annotated[
    str, Path(description="A message's id, from a list or a search.", examples=["m_E_LKNKfd6mIAAAFFSU5CT1g"])
]
PartId = Annotated[
    str, Path(description="A part's id, from `structure` or `attachments` of the message.", examples=["1.2"])
]


def in_utc(moment: datetime) -> datetime:
    """The moment in UTC. Raises InvalidField if it has no year there."""
    try:
        return moment.astimezone(UTC)
    except OverflowError:
        raise InvalidField("Send a time of the years 1 to 9999, also in UTC.") from None


def encodable(text: str) -> str:
    """The text itself. Raises InvalidField for a lone surrogate, which UTF-8 cannot encode."""
    try:
        text.encode()
    except UnicodeEncodeError:
        raise InvalidField("Send a text that UTF-8 can encode: this has half a character.") from None
    return text


def in_any_zone(moment: datetime) -> datetime:
    """The moment itself. Raises InvalidField as ``in_utc``: mail servers get it in UTC."""
    in_utc(moment)
    return moment


def _written(value: object) -> object:
    """Pydantic reads a number as seconds since 1970, so a day without dashes would be a day of that year."""
    if not isinstance(value, str) or "-" not in value[1:]:
        raise InvalidField("Send a time with an offset, such as 2026-01-31T08:00:00Z.")
    return value


Moment = Annotated[AwareDatetime, BeforeValidator(_written), AfterValidator(in_utc)]
"""A time of a request, in UTC."""


def request_headers(*names: str) -> dict[str, Any]:
    """For a route's ``openapi_extra``: the request header fields that it reads."""
    return {"parameters": [_REQUEST[name] for name in names]}


def response_headers(*names: str) -> dict[str, Any]:
    """For a response's ``headers``: the response header fields."""
    return {name: {"description": RESPONSE[name], "schema": {"type": "string"}} for name in names}


def _header(name: str, description: str, example: str) -> dict[str, Any]:
    return {
        "name": name,
        "in": "header",
        "required": False,
        "description": description,
        "schema": {"type": "string"},
        "example": example,
    }


_REQUEST = {
    name: _header(name, description, example)
    for name, description, example in (
        (
            "If-None-Match",
            "The ETag of an earlier response: 304 if it is still current.",
            'W/"c0ffee00c0ffee00c0ffee00"',
        ),
        ("Range", "The octets to return, first and last inclusive, or the last 500: `bytes=-500`.", "bytes=0-1023"),
        (
            "If-Range",
            "An ETag: if it is still current, the range is returned, else the whole content.",
            '"c0ffee00c0ffee00c0ffee00"',
        ),
    )
}
RESPONSE = {
    "ETag": "Changes whenever the response does.",
    "Location": "The path of the created resource.",
    "Content-Range": "The range of the octets, and the total size.",
    "Content-Disposition": "The part's file name, and `inline` or `attachment` (RFC 6266).",
    "Retry-After": "Seconds to wait before sending the request again.",
    "WWW-Authenticate": "The authentication schemes.",
}

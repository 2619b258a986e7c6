"""Parameters that several routes take, and the headers that the contract names though no route reads them itself."""

from typing import Annotated, Any

from fastapi import Path

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


def request_headers(*names: str) -> dict[str, Any]:
    """For ``openapi_extra``: header fields that a route reads from the request."""
    return {"parameters": [_REQUEST[name] for name in names]}


def response_headers(*names: str) -> dict[str, Any]:
    """For a response's ``headers``."""
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
        ("If-None-Match", "The ETag of an earlier answer: 304 while it still holds.", 'W/"c0ffee00c0ffee00c0ffee00"'),
        ("Range", "Octets to send, from and to inclusive, or the last so many: `bytes=-500`.", "bytes=0-1023"),
        ("If-Range", "An ETag: the range while it holds, else all of it.", '"c0ffee00c0ffee00c0ffee00"'),
    )
}
RESPONSE = {
    "ETag": "Changes with what is answered.",
    "Location": "The path of what was made.",
    "Content-Range": "Which octets these are, of how many.",
    "Content-Disposition": "The part's file name, and whether it may be shown in place (RFC 6266).",
    "Retry-After": "Seconds to wait before the request is worth sending again.",
    "WWW-Authenticate": "The ways to sign in.",
}

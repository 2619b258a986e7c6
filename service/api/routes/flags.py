"""A message's flags."""

from typing import Annotated

from fastapi import Header, Response
from pydantic import Field

from service.api.deps import Mailbox
from service.api.parameters import MessageId, response_headers
from service.api.problems import SIGNED_IN, problem_responses
from service.api.responses import strong_etag
from service.api.routing import api_router
from service.mail.errors import Changed
from service.mail.model import MAX_FLAGS, Flags, Value

router = api_router(
    prefix="/v1/accounts/{account}/messages/{message}/flags",
    tags=["messages"],
    responses=problem_responses(*SIGNED_IN, "stale-id") | {200: {"headers": response_headers("ETag")}},
)
IfMatch = Annotated[
    str | None,
    Header(
        alias="If-Match",
        max_length=100,
        description="The message's ETag: write only if the message is unchanged, else 412. Needs CONDSTORE (RFC 7162).",
        examples=['"4711"'],
    ),
]


class FlagPatch(Value):
    """Flags to set and flags to clear. All other flags stay as they are."""

    add: tuple[str, ...] = Field((), max_length=MAX_FLAGS, fail_fast=True, description="The flags to set.")
    remove: tuple[str, ...] = Field((), max_length=MAX_FLAGS, fail_fast=True, description="The flags to clear.")


@router.get("", response_model_exclude_none=True)
async def get_flags(mailbox: Mailbox, response: Response, message: MessageId) -> Flags:
    """The current flags of a message. The ETag is for `If-Match`."""
    return _tagged(response, await mailbox.get_flags(message))


@router.put("", response_model_exclude_none=True, responses=problem_responses("changed"))
async def set_flags(
    mailbox: Mailbox, response: Response, message: MessageId, flags: Flags, if_match: IfMatch = None
) -> Flags:
    """Replace all flags of a message. To set or clear single flags use PATCH: it keeps concurrent changes to other
    flags."""
    return _tagged(response, await mailbox.set_flags(message, flags.flags, version=version_of(if_match)))


@router.patch("", response_model_exclude_none=True, responses=problem_responses("changed"))
async def change_flags(
    mailbox: Mailbox, response: Response, message: MessageId, change: FlagPatch, if_match: IfMatch = None
) -> Flags:
    """Set some flags of a message and clear others. Returns the flags that are set afterwards."""
    flags = await mailbox.change_flags(message, change.add, change.remove, version=version_of(if_match))
    return _tagged(response, flags)


def version_of(if_match: str | None) -> str | None:
    """The version to compare, None for none: ``*`` only requires that the message exists, as every write does. Raises
    Changed for a weak tag, which never matches (RFC 9110, 13.1.1)."""
    if if_match is None or if_match.strip() == "*":
        return None
    tag = if_match.strip()
    if len(tag) < 3 or not tag.startswith('"') or not tag.endswith('"'):
        raise Changed("The ETag in If-Match is not one of this message.")
    return tag[1:-1]


def _tagged(response: Response, flags: Flags) -> Flags:
    if flags.version is not None:
        response.headers["ETag"] = strong_etag(flags.version)
    return flags

"""A message's flags."""

from typing import Annotated

from fastapi import APIRouter, Header, Response
from pydantic import Field

from service.api.deps import Mailbox
from service.api.parameters import MessageId, response_headers
from service.api.problems import SIGNED_IN, problem_responses
from service.mail.errors import Changed
from service.mail.model import MAX_FLAGS, Flags, Value

router = APIRouter(
    prefix="/v1/accounts/{account}/messages/{message}/flags",
    tags=["messages"],
    responses=problem_responses(*SIGNED_IN, "stale-id") | {200: {"headers": response_headers("ETag")}},
)
IfMatch = Annotated[
    str | None,
    Header(
        alias="If-Match",
        max_length=100,
        description="The message's ETag: write only while it is unchanged, else 412. On servers that count changes.",
        examples=['"4711"'],
    ),
]


class FlagPatch(Value):
    """Flags to set and flags to clear; all others stay as they are."""

    add: tuple[str, ...] = Field((), max_length=MAX_FLAGS, description="To set.")
    remove: tuple[str, ...] = Field((), max_length=MAX_FLAGS, description="To clear.")


@router.get("", response_model_exclude_none=True)
async def get_flags(mailbox: Mailbox, response: Response, message: MessageId) -> Flags:
    """The flags now. The ETag is for `If-Match`."""
    return _tagged(response, await mailbox.get_flags(message))


@router.put("", response_model_exclude_none=True, responses=problem_responses("changed"))
async def set_flags(
    mailbox: Mailbox, response: Response, message: MessageId, flags: Flags, if_match: IfMatch = None
) -> Flags:
    """Replace all flags. To set or clear single ones use PATCH, which leaves alone what others do meanwhile."""
    return _tagged(response, await mailbox.set_flags(message, flags.flags, version=version_of(if_match)))


@router.patch("", response_model_exclude_none=True, responses=problem_responses("changed"))
async def change_flags(
    mailbox: Mailbox, response: Response, message: MessageId, change: FlagPatch, if_match: IfMatch = None
) -> Flags:
    """Set some flags and clear others. Answers what is set afterwards."""
    found = await mailbox.change_flags(message, change.add, change.remove, version=version_of(if_match))
    return _tagged(response, found)


def version_of(if_match: str | None) -> str | None:
    """``*`` asks only that the message is there, as every write does. A weak tag never matches (RFC 9110, 13.1.1)."""
    if if_match is None or if_match.strip() == "*":
        return None
    tag = if_match.strip()
    if len(tag) < 3 or not tag.startswith('"') or not tag.endswith('"'):
        raise Changed("If-Match has no ETag that this message ever had.")
    return tag[1:-1]


def _tagged(response: Response, flags: Flags) -> Flags:
    if flags.version is not None:
        response.headers["ETag"] = f'"{flags.version}"'
    return flags

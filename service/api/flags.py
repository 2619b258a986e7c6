"""A message's flags."""

from fastapi import APIRouter
from pydantic import Field

from service.api.caller import Mailbox
from service.api.problems import SIGNED_IN, problem_responses
from service.mail.model import Value

router = APIRouter(
    prefix="/v1/accounts/{account}/messages/{message}/flags",
    tags=["messages"],
    responses=problem_responses(*SIGNED_IN, "not-permitted", "stale-id", "not-supported"),
)
MAX_FLAGS = 100


class Flags(Value):
    """$seen, $answered, $flagged, $draft, $deleted, and keywords as they are, lower case."""

    flags: tuple[str, ...] = Field(max_length=MAX_FLAGS)


class FlagChange(Value):
    """Flags to set and flags to clear; all others stay as they are."""

    add: tuple[str, ...] = Field((), max_length=MAX_FLAGS)
    remove: tuple[str, ...] = Field((), max_length=MAX_FLAGS)


@router.get("", response_model_exclude_none=True)
async def get_flags(mailbox: Mailbox, message: str) -> Flags:
    """The flags now."""
    return Flags(flags=await mailbox.get_flags(message))


@router.put("", response_model_exclude_none=True)
async def set_flags(mailbox: Mailbox, message: str, flags: Flags) -> Flags:
    """Replace all flags. To set or clear single ones use PATCH, which leaves alone what others do meanwhile."""
    return Flags(flags=await mailbox.set_flags(message, flags.flags))


@router.patch("", response_model_exclude_none=True)
async def change_flags(mailbox: Mailbox, message: str, change: FlagChange) -> Flags:
    """Set some flags and clear others. Answers what is set afterwards."""
    return Flags(flags=await mailbox.change_flags(message, change.add, change.remove))

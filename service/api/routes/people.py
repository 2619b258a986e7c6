"""The people of the mailbox, for completing addresses."""

from datetime import datetime
from typing import Annotated

from fastapi import Query, Request
from pydantic import AfterValidator, Field

from service.api.deps import confirmed, service_of
from service.api.parameters import encodable
from service.api.problems import SIGNED_IN, problem_responses
from service.api.routing import api_router
from service.api.sending import Sending
from service.mail.model import Number, Value

router = api_router(prefix="/v1/accounts/{account}/people", tags=["people"], responses=problem_responses(*SIGNED_IN))
MAX_PEOPLE = 100


class Person(Value):
    """A person that this mailbox has sent mail to or received mail from."""

    name: str | None = Field(None, description="The name in the newest message that has one.")
    email: str = Field(description="The address.")
    count: Number = Field(description="How many of the messages that were looked at are to or from this address.")
    last_at: datetime | None = Field(None, description="When the newest of those messages was received.")


class PersonList(Value):
    """People, best first: those that get mail from this mailbox often and lately."""

    items: tuple[Person, ...] = Field(description="The people.")


@router.get("", response_model_exclude_none=True)
async def list_people(
    request: Request,
    sending: Sending,
    q: Annotated[
        str,
        Query(max_length=200, description="Words of a name or an address, or their beginnings. Default: all people."),
        AfterValidator(encodable),
    ] = "",
    limit: Annotated[
        int,
        Query(ge=1, le=MAX_PEOPLE, description="The maximum number of people.", json_schema_extra={"format": "int32"}),
    ] = 10,
) -> PersonList:
    """The people that this mailbox has sent mail to or received mail from, best first, to complete an address while it
    is typed. Letter case and accents do not matter.

    Looked at are the newest messages of Sent and the inbox, and those that a search for `q` finds. Nothing is stored.
    """
    await confirmed(request, sending.mailbox)
    own = {identity.email for identity in await sending.identities()} | {sending.credentials.username}
    found = await service_of(request).people.find(sending.mailbox, q, limit, own)
    return PersonList(
        items=tuple(Person(name=each.name, email=each.email, count=each.count, last_at=each.last_at) for each in found)
    )

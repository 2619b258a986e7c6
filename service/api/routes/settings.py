"""The settings that follow the user."""

from typing import Annotated, Any

from fastapi import Header, Request, Response
from pydantic import Field

from service.api.deps import Mailbox, service_of
from service.api.openapi.examples import SETTINGS_ETAG
from service.api.parameters import response_headers
from service.api.problems import SIGNED_IN, problem_responses
from service.api.responses import CACHEABLE, IF_NONE_MATCH, etag_matches, json_response, not_modified, strong_etag
from service.api.routing import api_router
from service.mail.backend import Backend
from service.mail.errors import Changed, InvalidRequest
from service.mail.model import Value
from service.mail.settings import NO_SETTINGS, settings_version
from service.personal.settings import read_settings, write_settings

router = api_router(
    prefix="/v1/accounts/{account}/settings",
    tags=["settings"],
    responses=problem_responses(*SIGNED_IN, "not-supported", "in-use"),
)
_CHANGED = "The settings have changed meanwhile. Read them again."


class AccountSettings(Value):
    """The settings of the account."""

    settings: dict[str, Any] = Field(
        description="A JSON object of at most 64 KiB. Its member `identities` is a list of the addresses that the user"
        " sends from, in the form of GET identities (`id` may be left out). All other members belong to the apps."
    )


@router.get("", response_model=AccountSettings, responses=CACHEABLE, openapi_extra=IF_NONE_MATCH)
async def get_settings(request: Request, mailbox: Mailbox) -> Response:
    """The settings, which are stored in the mailbox itself and so are the same on every device. Empty if none were
    stored. The ETag is for `If-Match`."""
    stored = await mailbox.get_settings()
    etag = strong_etag(settings_version(stored))
    if etag_matches(request.headers.get("if-none-match", ""), etag):
        return not_modified({"ETag": etag})
    return json_response(request, AccountSettings(settings=read_settings(stored)), etag)


@router.put(
    "",
    response_model_exclude_none=True,
    responses=problem_responses("changed", "over-quota") | {200: {"headers": response_headers("ETag")}},
)
async def set_settings(
    request: Request,
    response: Response,
    mailbox: Mailbox,
    new: AccountSettings,
    if_match: Annotated[
        str | None,
        Header(
            alias="If-Match",
            max_length=100,
            description="The ETag of the settings to replace.",
            examples=[SETTINGS_ETAG],
        ),
    ] = None,
    if_none_match: Annotated[
        str | None, Header(alias="If-None-Match", max_length=100, description="`*`: store them if there are none.")
    ] = None,
) -> AccountSettings:
    """Replace all settings. Send `If-Match` with the ETag that they were read with, or `If-None-Match: *`: if another
    device was faster, the answer is 412, and nothing is lost. If there are none, GET gives an ETag too."""
    octets = write_settings(new.settings)
    await mailbox.set_settings(octets, version=await _version(mailbox, if_match, if_none_match))
    service_of(request).identities.forget(mailbox.account)
    response.headers["ETag"] = strong_etag(settings_version(octets))
    return new


async def _version(mailbox: Backend, if_match: str | None, if_none_match: str | None) -> str:
    """The version to replace. Raises Changed for a weak tag, which never matches (RFC 9110, 13.1.1)."""
    match if_match and if_match.strip(), if_none_match and if_none_match.strip():
        case None, "*":
            return NO_SETTINGS
        case "*", None:
            present = settings_version(await mailbox.get_settings())
            if present == NO_SETTINGS:
                raise Changed("There are no settings yet.")
            return present
        case str() as tag, None if len(tag) > 2 and tag.startswith('"') and tag.endswith('"'):
            return tag[1:-1]
        case str(), None:
            raise Changed(_CHANGED)
    raise InvalidRequest("Send If-Match with the ETag of the settings, or If-None-Match: * to store the first ones.")

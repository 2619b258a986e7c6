"""The beginning of a sign-in by device code (RFC 8628)."""

from datetime import datetime
from typing import Annotated

from fastapi import Path, Request
from pydantic import Field

from service.api.deps import address_of, service_of
from service.api.problems import problem_responses
from service.api.routing import api_router
from service.mail.model import Number, Value

router = api_router(prefix="/v1", tags=["sessions"])


class DeviceSignIn(Value):
    """What the user has to do elsewhere, and how to go on."""

    user_code: str = Field(description="What the user types at `verificationUri`.")
    verification_uri: str = Field(description="The address that the user opens on any device.")
    verification_uri_complete: str | None = Field(None, description="The same with the code in it, for a QR code.")
    device_code: str = Field(description="What to send as `deviceCode` to POST /v1/sessions. Keep it secret.")
    interval: Number = Field(description="The least number of seconds between two such requests.")
    expires_at: datetime = Field(description="The time at which both codes expire.")


@router.post(
    "/oauth/{provider}/device",
    response_model_exclude_none=True,
    responses=problem_responses(
        *("not-found", "invalid-request", "too-many-requests", "internal-error", "not-supported"),
        *("upstream-error", "upstream-unavailable", "upstream-timeout"),
    ),
)
async def create_device_code(
    request: Request,
    provider: Annotated[
        str, Path(max_length=200, description="The provider, as GET /v1/discovery names it.", examples=["example"])
    ],
) -> DeviceSignIn:
    """Begin to sign in on a device without a browser: the user agrees on another one.

    Show `userCode` and `verificationUri`, then send `deviceCode` to POST /v1/sessions every `interval` seconds until it
    is no longer answered with 428 `authorization-pending`.
    """
    service = service_of(request)
    await service.rates.lookup(address_of(request.scope))
    begun = await service.grants.client(provider).begin_device()
    return DeviceSignIn(**begun._asdict())

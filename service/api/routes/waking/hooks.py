"""What mail servers report. Not in the contract: apps do not call it."""

from fastapi import Request, Response

from service.api.deps import service_of
from service.api.routing import api_router
from service.mail.errors import NotFound, TooLarge
from service.push.server.hook import MAX_REPORT

router = api_router(prefix="/v1/hooks", include_in_schema=False)


@router.put("/dovecot/{secret}")
async def report_delivery(request: Request, secret: str) -> Response:
    """Dovecot waits for the answer while it delivers, so it comes at once. A wrong secret finds nothing."""
    parts = service_of(request).push.parts
    if parts is None or parts.hook is None or not parts.hook.accepts(secret):
        raise NotFound("route")
    body = bytearray()
    async for piece in request.stream():
        body += piece
        if len(body) > MAX_REPORT:
            raise TooLarge
    parts.hook.report(bytes(body))
    return Response()

"""The middleware that makes every error a problem: those of libraries and unexpected ones. It also refuses requests
that no route may get."""

from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from service.accounts.rates import Rates
from service.api.deps import address_of
from service.api.middleware.requests import is_probe
from service.api.problems import error_response, foreign_error, internal_error
from service.mail.errors import TooManyRequests, UnsupportedMedia

_PLAIN = (b"content-type", b"text/plain; charset=utf-8")
_FIRST_ERROR = 400


class ErrorMiddleware:
    """Refuses requests beyond the rate of their address, and coded content. Pages of allowed origins must be able to
    read all that it makes, so it is within the middleware for them; another one is around that, without ``rates``."""

    def __init__(self, app: ASGIApp, rates: Rates | None = None) -> None:
        self._app = app
        self._rates = rates

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        has_begun = is_replaced = False

        async def answer(message: Message) -> None:
            nonlocal has_begun, is_replaced
            if is_replaced:
                return
            if message["type"] == "http.response.start":
                has_begun, is_replaced = True, _is_foreign_refusal(message)
                if is_replaced:
                    await foreign_error(Request(scope), message["status"])(scope, receive, send)
                    return
            await send(message)

        try:
            app = await self._refusal(scope) or self._app
            await app(scope, receive, answer)
        except ClientDisconnect:
            raise
        except Exception as error:
            problem = internal_error(Request(scope), error)
            if not has_begun:  # else the server aborts the response
                await problem(scope, receive, send)

    async def _refusal(self, scope: Scope) -> Response | None:
        """The response to a client address that has sent too many requests, and to content in a coding (RFC 9110, 8.4):
        it would be stored as it came."""
        if self._rates is None:
            return None
        if self._rates.counts_addresses and not is_probe(scope["path"]):
            try:
                await self._rates.address(address_of(scope))
            except TooManyRequests as error:
                return error_response(Request(scope), error)
        if not _has_coded_content(scope):
            return None
        response = error_response(Request(scope), UnsupportedMedia("Send the content without Content-Encoding."))
        response.headers["Accept-Encoding"] = "identity"
        return response


def _has_coded_content(scope: Scope) -> bool:
    fields = scope["headers"]
    codings = [value.lower() for name, value in fields if name == b"content-encoding"]
    if not codings or set(codings) <= {b"identity", b""}:
        return False
    return any(name == b"transfer-encoding" or (name == b"content-length" and value != b"0") for name, value in fields)


def _is_foreign_refusal(message: Message) -> bool:
    """Whether a library made this error response, in plain text: Starlette's body limit does."""
    return message["status"] >= _FIRST_ERROR and _PLAIN in message["headers"]

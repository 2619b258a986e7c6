"""The addresses of JMAP. They are not in the contract of the REST API: RFC 8620 describes them."""

from asyncio import to_thread
from collections.abc import AsyncIterator
from dataclasses import replace
from functools import partial
from http import HTTPStatus
from typing import Any

from fastapi import APIRouter, Request, Response
from pydantic_core import to_json
from starlette.responses import RedirectResponse, StreamingResponse

from service.accounts.credentials import Credentials
from service.jmap.account.account import Account
from service.jmap.account.blobs import open_blob
from service.jmap.core.dispatch import Dispatch
from service.jmap.core.errors import RequestError
from service.jmap.core.request import Request as Asked
from service.jmap.core.request import read_request
from service.jmap.core.session import BLOB, CORE, MAIL, QUOTA, SUBMISSION, Facts, session, session_state
from service.jmap.core.turns import Places
from service.jmap.core.writing import write
from service.jmap.events import Events, read_ping, read_types
from service.jmap.host import Host
from service.jmap.methods import METHODS
from service.jmap.methods.blobs import DIGESTS
from service.jmap.values.blob_ids import upload_blob
from service.jmap.values.filters import SORTS
from service.mail.backend import Backend
from service.mail.errors import NotFound, NotSupported
from service.mail.exchange import Download, Span
from service.mail.model import Capability

SHORT = 64 << 10
"""Octets of a request that are read at once."""
_NO_STORE = {"Cache-Control": "no-cache, no-store, must-revalidate"}
_KNOWN = frozenset({CORE, MAIL, SUBMISSION, QUOTA, BLOB})


class Jmap:
    """The routes on one ``Host``. ``router`` has most of them, ``uploading`` those that limit the body themselves."""

    def __init__(self, host: Host) -> None:
        self._host = host
        self._running = Places(host.limits.requests, "maxConcurrentRequests")
        self._uploading = Places(host.limits.uploads, "maxConcurrentUpload")
        self.router = APIRouter()
        self.uploading = APIRouter()
        add = partial(self.router.add_api_route, include_in_schema=False, response_model=None)
        add("/.well-known/jmap", self.discover, methods=["GET"])
        add("/jmap/session", self.session, methods=["GET"])
        add("/jmap/download/{account}/{blob}/{name:path}", self.download, methods=["GET", "HEAD"])
        add("/jmap/eventsource", self.events, methods=["GET"])
        large = partial(self.uploading.add_api_route, include_in_schema=False, response_model=None, methods=["POST"])
        large("/jmap", self.call)
        large("/jmap/upload/{account}", self.upload)

    async def discover(self, request: Request) -> Response:
        """The address of the session (RFC 8620, 2.2)."""
        return RedirectResponse(f"{self._base(request)}/jmap/session", HTTPStatus.TEMPORARY_REDIRECT)

    async def session(self, request: Request) -> Response:
        """The Session object."""
        credentials, backend = await self._open(request)
        await backend.check()
        return _json(session(self._facts(request, credentials, backend)))

    async def call(self, request: Request) -> Response:
        """A request object, and the responses of its calls."""
        try:
            if request.headers.get("content-type", "").partition(";")[0].strip().lower() != "application/json":
                raise RequestError("notJSON", "Send Content-Type: application/json.")
            asked = await self._read(request)
            credentials, backend = await self._open(request)
            with self._running.of(backend.account):
                return await self._answer(request, credentials, backend, asked)
        except RequestError as error:
            return _json(error.body, error.status, "application/problem+json")

    async def _read(self, request: Request) -> Asked:
        """By a thread if there is much to read. Raises RequestError."""
        body = await self._body(request)
        if len(body) <= SHORT:
            return read_request(body, _KNOWN)
        return await to_thread(read_request, body, _KNOWN)

    async def _body(self, request: Request) -> bytes:
        """Raises RequestError if it is too large."""
        most, body = self._host.limits.max_request, bytearray()
        async for chunk in request.stream():
            body += chunk
            if len(body) > most:
                detail = f"A request has at most {most} octets."
                raise RequestError("limit", detail, HTTPStatus.REQUEST_ENTITY_TOO_LARGE, limit="maxSizeRequest")
        return bytes(body)

    async def _answer(self, request: Request, credentials: Credentials, backend: Backend, asked: Asked) -> Response:
        account = Account(self._host, request, credentials, backend, asked.created or {})
        account.expect(asked.calls)
        responses = await write(await Dispatch(METHODS, account).run(asked), account.response.spent)
        state = session_state(self._facts(request, credentials, backend))
        rest = {} if asked.created is None else {"createdIds": account.created}
        body = b'{"methodResponses":%b,%b' % (responses, to_json({**rest, "sessionState": state})[1:])
        return Response(body, HTTPStatus.OK, _NO_STORE, "application/json")

    async def upload(self, request: Request, account: str) -> Response:
        """A blob, staged in the mailbox."""
        shared = await self._account(request, account)
        try:
            with self._uploading.of(shared.id):
                staged, size = await shared.uploads.add(request.stream())
        except RequestError as error:
            return _json(error.body, error.status, "application/problem+json")
        kind = request.headers.get("content-type", "application/octet-stream")
        body = {"accountId": shared.id, "blobId": upload_blob(staged), "type": kind, "size": size}
        return _json(body, HTTPStatus.CREATED)

    async def download(self, request: Request, account: str, blob: str, name: str) -> Response:
        """A blob, streamed, with the type and name that the client wants."""
        shared = await self._account(request, account)
        kind = request.query_params.get("type", "application/octet-stream")

        async def opened(span: Span | None) -> Download:
            return replace(await open_blob(shared, blob, span), type=kind, name=name)

        return await self._host.respond(request, opened)

    async def events(self, request: Request) -> Response:
        """The event source."""
        credentials, backend = await self._open(request)
        if Capability.PUSH not in backend.capabilities:
            raise backend.not_supported(Capability.PUSH)
        query = request.query_params
        fresh = partial(Account, self._host, request, credentials, backend, {})
        types, closes = read_types(query.get("types", "*")), query.get("closeafter") == "state"
        events = Events(self._host.streams, fresh, types, closes=closes)
        await events.begin()
        stream = events.run(
            read_ping(query.get("ping", "0")),
            request.headers.get("last-event-id"),
            partial(self._host.require_live, request),
        )
        return _stream(stream)

    def _base(self, request: Request) -> str:
        return self._host.public_url or str(request.base_url).rstrip("/")

    def _facts(self, request: Request, credentials: Credentials, backend: Backend) -> Facts:
        can = backend.capabilities
        return Facts(
            base=self._base(request),
            account=backend.account,
            username=credentials.username,
            limits=self._host.limits,
            sorts=SORTS,
            digests=tuple(DIGESTS),
            can_send=self._can_send(request, credentials, backend),
            can_create=Capability.FOLDERS in can,
            is_writable=Capability.APPEND in can,
        )

    def _can_send(self, request: Request, credentials: Credentials, backend: Backend) -> bool:
        try:
            self._host.sending(request, credentials, backend)
        except NotSupported:
            return False
        return True

    async def _account(self, request: Request, account: str) -> Account:
        """Raises NotFound for an account that is not the signed-in one."""
        credentials, backend = await self._open(request)
        if account != backend.account:
            raise NotFound("account")
        return Account(self._host, request, credentials, backend, {})

    async def _open(self, request: Request) -> tuple[Credentials, Backend]:
        """The signed-in account's mailbox, kept open until the response is sent."""
        credentials = await self._host.caller(request)
        return credentials, await self._host.mailbox(request, credentials)


def _json(body: Any, status: int = HTTPStatus.OK, kind: str = "application/json") -> Response:
    return Response(to_json(body), status, _NO_STORE, kind)


def _stream(events: AsyncIterator[bytes]) -> Response:
    return StreamingResponse(events, media_type="text/event-stream", headers={"X-Accel-Buffering": "no", **_NO_STORE})

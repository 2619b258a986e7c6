"""How HTTP is listened to: uvicorn's strict parser, with the bounds and checks it leaves to others (RFC 9110, 9112).

What is refused here never reaches the application. It is answered as a problem like everything else, and the connection
is closed: what follows on it might be meant as something else by whoever sits in front.
"""

import asyncio
import re
import sys
from collections.abc import Mapping
from secrets import token_hex
from typing import Any

import httptools
import structlog
import uvicorn
from fastapi import Request
from starlette.types import ASGIApp, Receive, Scope, Send
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol, RequestResponseCycle

from service.api import problems
from service.api.edge import SAFE_HEADERS, is_probe
from service.api.problems import Kind

GRACE_SECONDS = 25
"""What is being answered when draining ends may take so long, open streams too; then it is cut off."""
KEEP_ALIVE_SECONDS = 75
"""Longer than proxies keep an idle connection (60 s is usual), so that none sends on one that is just being closed."""
_HOST = re.compile(rb"[A-Za-z0-9._~:\[\]-]{1,300}\Z")
_SAFE = frozenset({"GET", "HEAD"})
"""What is given up when the client leaves. What writes goes on: whoever asks again with its key gets the answer."""
_OF_THE_CONNECTION = frozenset({b"connection", b"upgrade", b"http2-settings", b"keep-alive"})
_BODY_FIELDS = frozenset({b"content-length", b"transfer-encoding"})
_log = structlog.get_logger("service.http")


def configured(
    app: ASGIApp | str,
    host: str,
    port: int,
    *,
    max_connections: int,
    trusted_proxies: tuple[str, ...],
    workers: int | None = None,
) -> uvicorn.Config:
    """How HTTP is served, whoever starts it. Forwarded headers count only from ``trusted_proxies``. ``app`` may name a
    function that makes it, for each of several ``workers``."""
    return uvicorn.Config(
        app,
        factory=isinstance(app, str),
        workers=workers,
        host=host,
        port=port,
        http=Listener,
        ws="none",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=bool(trusted_proxies),
        forwarded_allow_ips=list(trusted_proxies),
        limit_concurrency=max_connections,
        timeout_graceful_shutdown=GRACE_SECONDS,
        timeout_keep_alive=KEEP_ALIVE_SECONDS,
    )


class Listener(HttpToolsProtocol):
    """One connection. Seconds and octets are for tests to shorten."""

    head_octets = 32 << 10
    head_fields = 100
    head_seconds = 10.0
    """From the connection, or a request's first octet, to the end of its head."""
    body_seconds = 30.0
    """Without an octet of a body that was announced."""
    stall_seconds = 120.0
    """Without the client taking enough of an answer that there is room for more."""

    def __init__(self, *args: Any, **more: Any) -> None:
        super().__init__(*args, **more)
        self._is_in_head = True
        self._head = 0  # octets, of a head that is not complete
        self._fed = b""
        self._fault: Kind | None = None
        self._is_refused = False
        self._answering: RequestResponseCycle | None = None
        self._task: asyncio.Task[None]
        self._deadline: asyncio.TimerHandle | None = None
        self._stalled: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn has it
        super().connection_made(transport)
        self._arm(self.head_seconds)

    def connection_lost(self, exc: Exception | None) -> None:
        self._disarm()
        self._release()
        left = self._answering
        if left is not None and not left.response_complete:
            left.disconnected = True  # uvicorn marks the one read last, which need not be the one at work
            left.message_event.set()
            if _is_read(left.scope):
                self._task.cancel()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        if self._is_refused:
            return
        if self._is_in_head:
            self._head += len(data)
        self._fed = data
        super().data_received(data)
        self._fed = b""
        if self._is_refused or self.transport.is_closing():
            return
        if self._is_in_head:
            self._bound_head()
        elif self.cycle.more_body:
            self._disarm()
            self._arm(self.body_seconds)

    def _bound_head(self) -> None:
        if self._head > self.head_octets:
            self._refuse(problems.HEAD_TOO_LARGE)
        elif self._head and self._deadline is None:
            self._arm(self.head_seconds)

    def on_headers_complete(self) -> None:
        self._disarm()
        self._is_in_head = False
        self._fault = self._fault_of_head()
        if self._fault is not None:
            raise httptools.HttpParserError(self._fault.name)
        if not self.parser.should_upgrade():
            super().on_headers_complete()

    def _unsupported_upgrade_warning(self) -> None:
        """Another protocol is wished for, as by Java's client in clear. The parser stops behind the head; a new one
        reads on as if nothing had been wished (RFC 9110, 7.8), up to the end of this request."""
        stopped = sys.exception()
        assert isinstance(stopped, httptools.HttpParserUpgrade)
        lines = [b"%b %b HTTP/1.1" % (self.parser.get_method(), self.url)]
        lines += [name + b": " + value for name, value in self.headers if name not in _OF_THE_CONNECTION]
        head = b"\r\n".join([*lines, b"connection: close", b"", b""])
        self.parser = httptools.HttpRequestParser(self)
        self.parser.set_dangerous_leniencies(lenient_data_after_close=True)
        super().data_received(head + self._fed[stopped.args[0] :])

    def _fault_of_head(self) -> Kind | None:
        names = [name for name, _ in self.headers]
        octets = len(self.url) + sum(len(name) + len(value) for name, value in self.headers)
        if octets > self.head_octets or len(names) > self.head_fields:
            return problems.HEAD_TOO_LARGE
        is_fine = (
            self.parser.get_http_version() in {"1.0", "1.1"}
            and self.url[:1] in {b"/", b"*"}
            and self.parser.get_method() != b"CONNECT"
            and self._has_one_host()
            and self._has_plain_framing(names)
        )
        return None if is_fine else problems.MALFORMED

    def _has_one_host(self) -> bool:
        """Whoever routes by Host has to see the same one (RFC 9112, 3.2)."""
        hosts = [value for name, value in self.headers if name == b"host"]
        if not hosts:
            return self.parser.get_http_version() == "1.0"
        return len(hosts) == 1 and _HOST.match(hosts[0]) is not None

    def _has_plain_framing(self, names: list[bytes]) -> bool:
        """One length, or chunked and nothing else, of HTTP/1.1 (RFC 9112, 6)."""
        framing = [(name, value) for name, value in self.headers if name in _BODY_FIELDS]
        if not framing:
            return True
        [(name, value), *more] = framing
        is_known = name == b"content-length" or (
            value.lower() == b"chunked" and self.parser.get_http_version() == "1.1"
        )
        return is_known and not more

    def on_message_complete(self) -> None:
        if self.parser.should_upgrade():
            return
        super().on_message_complete()
        self._disarm()
        self._is_in_head, self._head = True, 0

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: Any) -> None:
        """Where there are too many, the platform's probes still are answered: a busy process is alive."""
        if app is not self.app:
            app = self.app if is_probe(cycle.scope["path"]) else _overloaded
        self._answering = cycle
        self._task = task = self.loop.create_task(cycle.run_asgi(_left_alone(app, cycle)))
        task.add_done_callback(self.tasks.discard)
        self.tasks.add(task)

    def send_400_response(self, msg: str) -> None:
        self._refuse(self._fault or problems.MALFORMED)

    def _refuse(self, kind: Kind) -> None:
        """Say so, where the client waits for nothing else; else after that. A refusal that overtakes an answer would be
        taken for it."""
        self._is_refused = True
        self._disarm()
        waiting = self._answering
        if waiting is not None and not waiting.response_complete:
            if waiting.response_started or not waiting.more_body:
                waiting.keep_alive = False
                self.pipeline.clear()
                return
            waiting.disconnected = True  # it was this one's body
            waiting.message_event.set()
        self.transport.write(_octets(kind))
        self.transport.close()

    def pause_writing(self) -> None:
        super().pause_writing()
        self._stalled = self.loop.call_later(self.stall_seconds, self.transport.abort)

    def resume_writing(self) -> None:
        super().resume_writing()
        self._release()

    def _release(self) -> None:
        if self._stalled is not None:
            self._stalled.cancel()
            self._stalled = None

    def _arm(self, seconds: float) -> None:
        self._deadline = self.loop.call_later(seconds, self._expire, seconds)

    def _disarm(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _expire(self, seconds: float) -> None:
        if not self._is_in_head and (self.flow.read_paused or self.cycle.waiting_for_100_continue):
            self._arm(seconds)  # it is we who keep the client waiting
        elif self._is_in_head and not self._head:
            self.transport.close()
        else:
            self._refuse(problems.TIMEOUT)


def _is_read(scope: Mapping[str, Any]) -> bool:
    return scope["method"] in _SAFE or (scope["method"] == "POST" and scope["path"].endswith("/search"))


def _left_alone(app: Any, cycle: RequestResponseCycle) -> Any:
    """The app, whose end by the client's leaving is nobody's fault and not logged as one."""

    async def run(scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await app(scope, receive, send)
        except asyncio.CancelledError:
            if not cycle.disconnected:
                raise

    return run


def _octets(kind: Kind) -> bytes:
    """A problem for a request that cannot be told."""
    request_id = token_hex(8)
    _log.info("refused", kind=kind.name, request_id=request_id)
    answer = problems.answer(
        Request({"type": "http", "path": "", "headers": [], "request_id": request_id}), kind, kind.advice
    )
    headers = [
        *answer.raw_headers,
        *SAFE_HEADERS.items(),
        (b"x-request-id", request_id.encode()),
        (b"connection", b"close"),
    ]
    lines = b"".join(name + b": " + value + b"\r\n" for name, value in headers)
    return STATUS_LINE[kind.status] + lines + b"\r\n" + bytes(answer.body)


async def _overloaded(scope: Scope, receive: Receive, send: Send) -> None:
    """Answered at once, whatever is asked."""
    scope["request_id"] = token_hex(8)
    headers = {"Retry-After": "1", "Connection": "close", "X-Request-Id": scope["request_id"]}
    answer = problems.answer(Request(scope), problems.BUSY, problems.BUSY.advice, headers)
    answer.raw_headers.extend(SAFE_HEADERS.items())
    await answer(scope, receive, send)

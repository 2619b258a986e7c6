"""How HTTP is listened to: uvicorn's strict parser, with the bounds and checks it leaves to others (RFC 9110, 9112).

What is refused here never reaches the application. It is answered as a problem like everything else, and the connection
is closed: what follows on it might be meant as something else by whoever sits in front.
"""

import asyncio
import re
import sys
from typing import Any

import httptools
import uvicorn
from starlette.types import ASGIApp
from uvicorn.protocols.http.flow_control import HIGH_WATER_LIMIT
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

from service.api import problems
from service.api.middleware import is_probe
from service.api.problems import ProblemType
from service.http.answers import is_read, left_alone, overloaded, refusal
from service.http.inflow import Deadline, Framing, Inflow

GRACE_SECONDS = 25
"""What is being answered when draining ends may take so long, open streams too; then it is cut off."""
KEEP_ALIVE_SECONDS = 75
"""Longer than proxies keep an idle connection (60 s is usual), so that none sends on one that is just being closed."""
_HOST = re.compile(rb"[A-Za-z0-9._~:\[\]-]{1,300}\Z")
_OF_THE_CONNECTION = frozenset({b"connection", b"upgrade", b"http2-settings", b"keep-alive"})
_BODY_FIELDS = frozenset({b"content-length", b"transfer-encoding"})
_NO_TRAILERS = _OF_THE_CONNECTION | _BODY_FIELDS | {b"host"}
"""What a trailer must not say (RFC 9110, 6.5.1): a proxy in front may act on it. Other trailers are ignored."""


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
    """Without content of a body that was announced; also for the rest of a body whose request is answered already."""
    body_rate = 500
    """Octets of content a second, on average; a slower client has ``body_seconds`` in all. So the limit of a body
    in octets bounds its time too."""
    unread_octets = 16 << 20
    """Of a body whose request is answered already: read and dropped, so that the connection can be used again."""
    portion_octets = 4 << 10
    """Parsed at a time. Of content whose length is known ``HIGH_WATER_LIMIT`` octets are."""
    stall_seconds = 120.0
    """Without the client taking enough of an answer that there is room for more."""

    def __init__(self, *args: Any, **more: Any) -> None:
        super().__init__(*args, **more)
        self.flow: Inflow
        self._is_in_head = True
        self._head = 0  # octets, of a head that is not complete
        self._left = 0  # octets of content, where their number was announced
        self._content = self._chunks = 0  # of the portion being parsed
        self._dropped = 0
        self._framing = Framing()
        self._fed = b""
        self._fault: ProblemType | None = None
        self._is_refused = False
        self._answering: RequestResponseCycle | None = None
        self._task: asyncio.Task[None]
        self._deadline = Deadline(self._keeps_waiting, self._expire)
        self._stalled: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn has it
        super().connection_made(transport)
        self.flow = Inflow(transport, self.pipeline, self._portion, self._parse)
        self._deadline.start(self.head_seconds)

    def connection_lost(self, exc: Exception | None) -> None:
        self._deadline.stop()
        self._release()
        self.flow.close()
        left = self._answering
        if left is not None and not left.response_complete:
            left.disconnected = True  # uvicorn marks the one read last, which need not be the one at work
            left.message_event.set()
            if is_read(left.scope):
                self._task.cancel()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        if not self._is_refused:
            self.flow.receive(data)

    def _portion(self) -> int:
        return max(self.portion_octets, min(self._left, HIGH_WATER_LIMIT))

    def _parse(self, part: bytes) -> None:
        if self._is_refused:
            return
        if self._is_in_head:
            self._head += len(part)
        began_in = None if self._is_in_head else self.cycle
        self._content = self._chunks = 0
        self._fed = part
        super().data_received(part)
        self._fed = b""
        if self._is_refused or self.transport.is_closing():
            return
        if self._is_in_head:
            self._bound_head()
        elif self.cycle is began_in:
            self._bound_body(len(part))
        else:
            self._dropped, self._framing = 0, Framing()
            self._deadline.start(self.body_seconds)

    def _bound_head(self) -> None:
        if self._head > self.head_octets:
            self._refuse(problems.HEAD_TOO_LARGE)
        elif self._head and not self._deadline.is_running:
            self._deadline.start(self.head_seconds)

    def _bound_body(self, octets: int) -> None:
        if self._is_dropped():
            self._dropped += octets
            if self._dropped > self.unread_octets:
                self.transport.close()
        else:
            self._deadline.earn(self._content / self.body_rate)
        if self._framing.is_too_much(octets, self._content, self._chunks):
            self._refuse(problems.HEAD_TOO_LARGE)

    def _is_dropped(self) -> bool:
        """Whether what is being read belongs to a request that is answered."""
        return not self._is_in_head and self.cycle.response_complete

    def on_message_begin(self) -> None:
        self._unset_keepalive_if_required()
        super().on_message_begin()
        self._is_in_head = True
        self._head = self._head or 1

    def on_header(self, name: bytes, value: bytes) -> None:
        """Trailers come here too, and the application's headers are a list that it may have already."""
        if self._is_in_head:
            super().on_header(name, value)
        elif name.lower() in _NO_TRAILERS:
            raise httptools.HttpParserError("a trailer about framing")

    def on_headers_complete(self) -> None:
        self._deadline.stop()
        self._fault = self._fault_of_head()
        if self._fault is not None:
            raise httptools.HttpParserError(self._fault.name)
        if self.parser.should_upgrade():
            return
        self._is_in_head = False
        framing = next(((name, value) for name, value in self.headers if name in _BODY_FIELDS), None)
        self._left = int(framing[1]) if framing and framing[0] == b"content-length" else 0
        self.expect_100_continue &= framing is not None and self.parser.get_http_version() == "1.1"
        super().on_headers_complete()

    def on_chunk_header(self) -> None:
        self._chunks += 1

    def on_body(self, body: bytes) -> None:
        self._content += len(body)
        self._left -= len(body)
        self.cycle.waiting_for_100_continue = False  # a client that sends already does not wait
        super().on_body(body)

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

    def _fault_of_head(self) -> ProblemType | None:
        names = [name for name, _ in self.headers]
        size = len(self.url) + sum(len(name) + len(value) for name, value in self.headers)
        if size > self.head_octets or len(names) > self.head_fields:
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
        self._deadline.stop()
        self._is_in_head, self._head, self._left = True, 0, 0
        if self.cycle.response_complete:
            self._keep_alive()

    def _keep_alive(self) -> None:
        """uvicorn lets an answered connection wait for ever if the rest of a body came after the answer."""
        self._unset_keepalive_if_required()
        self.timeout_keep_alive_task = self.loop.call_later(self.timeout_keep_alive, self.timeout_keep_alive_handler)

    def on_response_complete(self) -> None:
        super().on_response_complete()
        self.flow.resume_reading()  # not before the next of the queue is at work
        if self._is_dropped() and not self.transport.is_closing():
            self._deadline.start(self.body_seconds)

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: Any) -> None:
        """Where there are too many, the platform's probes still are answered: a busy process is alive."""
        if app is not self.app:
            app = self.app if is_probe(cycle.scope["path"]) else overloaded
        self._answering = cycle
        self._task = task = self.loop.create_task(cycle.run_asgi(left_alone(app, cycle)))
        task.add_done_callback(self.tasks.discard)
        self.tasks.add(task)

    def send_400_response(self, msg: str) -> None:
        self._refuse(self._fault or problems.MALFORMED)

    def _refuse(self, kind: ProblemType) -> None:
        """Say so, where the client waits for nothing else; else after that. A refusal that overtakes an answer would be
        taken for it."""
        self._is_refused = True
        self._deadline.stop()
        if self._is_dropped():  # the next answer would be taken for another request's
            self.transport.close()
            return
        waiting = self._answering
        if waiting is not None and not waiting.response_complete:
            if waiting.response_started or not waiting.more_body:
                waiting.keep_alive = False
                self.pipeline.clear()
                return
            waiting.disconnected = True  # it was this one's body
            waiting.message_event.set()
        self.transport.write(refusal(kind))
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

    def _keeps_waiting(self) -> bool:
        """Whether it is we who keep the client waiting."""
        return self.flow.is_behind or (not self._is_in_head and self.cycle.waiting_for_100_continue)

    def _expire(self) -> None:
        if self._is_in_head and not self._head:
            self.transport.close()
        else:
            self._refuse(problems.TIMEOUT)

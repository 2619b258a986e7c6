"""One HTTP connection: uvicorn's strict parser, with the limits and checks that it leaves to others (RFC 9110, 9112).

A request that is refused here never reaches the application. It is answered with a problem like every other error, and
the connection is closed: a proxy in front may read the octets that follow as another request.
"""

import asyncio
import sys
from typing import Any

import httptools
from uvicorn.protocols.http.flow_control import HIGH_WATER_LIMIT
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

from service.api import problems
from service.api.middleware.requests import is_probe
from service.api.problems import ProblemType
from service.http import head
from service.http.inflow import Deadline, FramingOverhead, Inflow
from service.http.responses import ignore_disconnect, is_read, overloaded, refusal


class HttpConnection(HttpToolsProtocol):
    """One connection of a client. The limits are class attributes so that tests can lower them."""

    head_octets = 32 << 10
    head_seconds = 10.0
    """From the start of the connection, or the first octet of a request, to the end of the head."""
    body_seconds = 30.0
    """Without content of an announced body. Also the time for the rest of a body whose request is answered already."""
    body_rate = 500
    """Octets of content a second, on average; a slower client has ``body_seconds`` in total. So the limit of a body in
    octets limits its time too."""
    unread_octets = 16 << 20
    """How much of a body is read and dropped after its request was answered, so that the connection can be reused."""
    portion_octets = 4 << 10
    """Octets parsed at a time; ``HIGH_WATER_LIMIT`` if they are content of a known length."""
    stall_seconds = 120.0
    """How long a client may leave the write buffer full, before its connection is cut."""

    def __init__(self, *args: Any, **more: Any) -> None:
        super().__init__(*args, **more)
        self.flow: Inflow
        self._is_in_head = True
        self._head = 0  # octets of an incomplete head
        self._left = 0  # octets of content, if their number was announced
        self._content = self._chunks = 0  # octets and chunks in the portion being parsed
        self._dropped = 0
        self._overhead = FramingOverhead()
        self._fed = b""
        self._problem: ProblemType | None = None
        self._is_refused = False
        self._answering: RequestResponseCycle | None = None
        self._task: asyncio.Task[None]
        self._deadline = Deadline(self._client_waits, self._expire)
        self._stalled: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn has it
        super().connection_made(transport)
        self.flow = Inflow(transport, self.pipeline, self._portion, self._parse)
        self._deadline.start(self.head_seconds)

    def connection_lost(self, exc: Exception | None) -> None:
        self._deadline.stop()
        self._stop_stall_timer()
        self.flow.close()
        abandoned = self._answering
        if abandoned is not None and not abandoned.response_complete:
            abandoned.disconnected = True  # uvicorn marks the request it read last, which may be a later one
            abandoned.message_event.set()
            if is_read(abandoned.scope):
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
        body_of = None if self._is_in_head else self.cycle
        self._content = self._chunks = 0
        self._fed = part
        super().data_received(part)
        self._fed = b""
        if self._is_refused or self.transport.is_closing():
            return
        if self._is_in_head:
            self._bound_head()
        elif self.cycle is body_of:
            self._bound_body(len(part))
        else:
            self._dropped, self._overhead = 0, FramingOverhead()
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
            self._deadline.extend(self._content / self.body_rate)
        if self._overhead.exceeds(octets, self._content, self._chunks):
            self._refuse(problems.HEAD_TOO_LARGE)

    def _is_dropped(self) -> bool:
        """Whether the body being read belongs to a request that is answered already."""
        return not self._is_in_head and self.cycle.response_complete

    def on_message_begin(self) -> None:
        self._unset_keepalive_if_required()
        super().on_message_begin()
        self._is_in_head = True
        self._head = self._head or 1

    def on_header(self, name: bytes, value: bytes) -> None:
        """Called for trailers too, which are not added to the headers: the application may have that list already."""
        if self._is_in_head:
            super().on_header(name, value)
        elif name.lower() in head.NO_TRAILERS:
            raise httptools.HttpParserError("a forbidden trailer")

    def on_headers_complete(self) -> None:
        self._deadline.stop()
        self._problem = self._problem_of_head()
        if self._problem is not None:
            raise httptools.HttpParserError(self._problem.name)
        if self.parser.should_upgrade():
            return
        self._is_in_head = False
        framing = head.framing_of(self.headers)
        self._left = int(framing[1]) if framing and framing[0] == b"content-length" else 0
        self.expect_100_continue &= framing is not None and self.parser.get_http_version() == "1.1"
        super().on_headers_complete()

    def on_chunk_header(self) -> None:
        self._chunks += 1

    def on_body(self, body: bytes) -> None:
        self._content += len(body)
        self._left -= len(body)
        self.cycle.waiting_for_100_continue = False  # a client that sends its body does not wait for a 100
        super().on_body(body)

    def _unsupported_upgrade_warning(self) -> None:
        """Ignores a request to upgrade (RFC 9110, 7.8), such as Java's client sends without TLS.

        The parser stopped after the head. A new one reads the head without the upgrade, and the rest of this request.
        """
        stopped = sys.exception()
        assert isinstance(stopped, httptools.HttpParserUpgrade)
        lines = [b"%b %b HTTP/1.1" % (self.parser.get_method(), self.url)]
        lines += [name + b": " + value for name, value in self.headers if name not in head.OF_THE_CONNECTION]
        plain_head = b"\r\n".join([*lines, b"connection: close", b"", b""])
        self.parser = httptools.HttpRequestParser(self)
        self.parser.set_dangerous_leniencies(lenient_data_after_close=True)
        super().data_received(plain_head + self._fed[stopped.args[0] :])

    def _problem_of_head(self) -> ProblemType | None:
        parser = self.parser
        return head.problem_of(parser.get_method(), self.url, parser.get_http_version(), self.headers, self.head_octets)

    def on_message_complete(self) -> None:
        if self.parser.should_upgrade():
            return
        super().on_message_complete()
        self._deadline.stop()
        self._is_in_head, self._head, self._left = True, 0, 0
        if self.cycle.response_complete:
            self._keep_alive()

    def _keep_alive(self) -> None:
        """Starts the timer that uvicorn does not start if the rest of a body came after the answer."""
        self._unset_keepalive_if_required()
        self.timeout_keep_alive_task = self.loop.call_later(self.timeout_keep_alive, self.timeout_keep_alive_handler)

    def on_response_complete(self) -> None:
        super().on_response_complete()
        self.flow.resume_reading()  # only after the next queued request has started
        if self._is_dropped() and not self.transport.is_closing():
            self._deadline.start(self.body_seconds)

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: Any) -> None:
        """Answers health probes even if there are too many requests: a busy process is alive."""
        if app is not self.app:
            app = self.app if is_probe(cycle.scope["path"]) else overloaded
        self._answering = cycle
        self._task = task = self.loop.create_task(cycle.run_asgi(ignore_disconnect(app, cycle)))
        task.add_done_callback(self.tasks.discard)
        self.tasks.add(task)

    def send_400_response(self, msg: str) -> None:
        self._refuse(self._problem or problems.MALFORMED)

    def _refuse(self, problem: ProblemType) -> None:
        """Answer with the problem and close, but after the answer under way if there is one: the client would read an
        earlier problem as that answer."""
        self._is_refused = True
        self._deadline.stop()
        if self._is_dropped():  # the client would read the problem as the answer to its next request
            self.transport.close()
            return
        waiting = self._answering
        if waiting is not None and not waiting.response_complete:
            if waiting.response_started or not waiting.more_body:
                waiting.keep_alive = False
                self.pipeline.clear()
                return
            waiting.disconnected = True  # the malformed body is its own
            waiting.message_event.set()
        self.transport.write(refusal(problem))
        self.transport.close()

    def pause_writing(self) -> None:
        super().pause_writing()
        self._stalled = self.loop.call_later(self.stall_seconds, self.transport.abort)

    def resume_writing(self) -> None:
        super().resume_writing()
        self._stop_stall_timer()

    def _stop_stall_timer(self) -> None:
        if self._stalled is not None:
            self._stalled.cancel()
            self._stalled = None

    def _client_waits(self) -> bool:
        """Whether the service keeps the client waiting, so that its deadlines stand still."""
        return self.flow.is_behind or (not self._is_in_head and self.cycle.waiting_for_100_continue)

    def _expire(self) -> None:
        if self._is_in_head and not self._head:
            self.transport.close()
        else:
            self._refuse(problems.TIMEOUT)

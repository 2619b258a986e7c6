"""How many functions of our own lie between a route and the mail server.

A reader follows them one by one, and each costs time on every request. Counted are the frames of this project's code on
the stack, from the route's function to the one that writes the command, both included; frames of libraries are not.
"""

import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from inspect import isasyncgenfunction, iscoroutinefunction
from types import CodeType, FrameType
from typing import Any

import pytest
from fastapi.routing import APIRoute
from starlette.routing import BaseRoute

from service.adapters.imap.ids import Ids
from service.adapters.imap.wire.protocol import WireProtocol
from service.app import create_app
from service.settings.model import Settings
from tests.api.served import ME, USER, served
from tests.servers.process import HOST
from tests.servers.scripted import Imap, ScriptedServer

MOST = 9
WHOLE = (
    b'* 1 FETCH (UID 1 FLAGS () RFC822.SIZE 9 ENVELOPE (NIL "s" NIL NIL NIL NIL NIL NIL NIL NIL) '
    b'BODYSTRUCTURE ("text" "plain" NIL NIL NIL "7bit" 5 1) BODY[1]<0> {5}\r\nhello)\r\n'
)
SOURCE = b"* 1 FETCH (UID 1 RFC822.SIZE 5 BODY[]<0> {5}\r\nhello)\r\n"
DONE = b"{tag} OK done\r\n"
MESSAGE = f"{ME}/messages/{Ids(USER.account).message(b'INBOX', 7, 1)}"
WRITE: CodeType = WireProtocol.send.__code__


@contextmanager
def stacks() -> Iterator[list[list[str]]]:
    """The functions of our own from a route to each command that is written meanwhile."""
    found: list[list[str]] = []

    def look(frame: FrameType, event: str, _: Any) -> None:
        if event == "call" and frame.f_code is WRITE:
            found.append(_from_route(frame))

    sys.setprofile(look)
    try:
        yield found
    finally:
        sys.setprofile(None)


def _from_route(frame: FrameType | None) -> list[str]:
    names: list[str] = []
    while frame is not None:
        module = frame.f_globals.get("__name__", "")
        if module.startswith("service."):
            names.insert(0, f"{module.removeprefix('service.')}.{frame.f_code.co_name}")
        if module.startswith("service.api.routes."):
            return names
        frame = frame.f_back
    return []


@pytest.mark.parametrize(
    ("path", "command"),
    [
        (f"{ME}/folders/inbox/messages", {"FETCH": WHOLE + DONE, "UID FETCH": WHOLE + DONE}),
        (MESSAGE, {"UID FETCH": WHOLE + DONE}),
        (f"{MESSAGE}/flags", {"UID FETCH": b"* 1 FETCH (UID 1 FLAGS ())\r\n" + DONE}),
        (f"{MESSAGE}/parts/1", {"UID FETCH": WHOLE + DONE}),
        (f"{MESSAGE}/source", {"UID FETCH": SOURCE + DONE}),
    ],
    ids=["list", "message", "flags", "part", "source"],
)  # fmt: skip
async def test_few_functions_lie_between_a_route_and_the_wire(path: str, command: dict[str, bytes]) -> None:
    async with (
        ScriptedServer([Imap(exists=1, uid_validity=7, uid_next=2, answers=dict(command))]) as server,
        served(server) as app,
    ):
        await app.client.get(path)  # signs in, and is not counted
        with stacks() as found:
            answer = await app.client.get(path)
        assert answer.status_code == 200, answer.text
    counted = [names for names in found if names]
    assert counted
    assert not ["\n".join(names) for names in counted if len(names) > MOST]


async def test_few_functions_lie_between_a_change_of_flags_and_the_wire() -> None:
    stored = {"UID STORE": b"* 1 FETCH (UID 1 FLAGS (\\Seen))\r\n" + DONE}
    async with (
        ScriptedServer([Imap(exists=1, uid_validity=7, uid_next=2, answers=stored)]) as server,
        served(server) as app,
    ):
        change = {"add": ["$seen"]}
        await app.client.patch(f"{MESSAGE}/flags", json=change)
        with stacks() as found:
            answer = await app.client.patch(f"{MESSAGE}/flags", json=change)
        assert answer.json() == {"flags": ["$seen"]}
    assert max(map(len, found)) <= MOST


def test_no_request_passes_through_a_thread_on_its_way() -> None:
    """FastAPI calls a dependency or a route that is a plain function in a thread, which takes as long as a round trip."""
    app = create_app(Settings(servers={"home": {"imap": {"host": HOST, "port": 1}}}))
    pending = [route.dependant for route in _api_routes(app.routes) if route.include_in_schema]
    assert len(pending) > 40
    called = set()
    while pending:
        dependant = pending.pop()
        called.add(dependant.call)
        pending += dependant.dependencies
    assert len(called) > 40
    assert not [call for call in called if not (iscoroutinefunction(call) or isasyncgenfunction(call))]


def _api_routes(routes: Iterable[BaseRoute]) -> Iterator[APIRoute]:
    for route in routes:
        if isinstance(route, APIRoute):
            yield route
        elif (included := getattr(route, "original_router", None)) is not None:
            yield from _api_routes(included.routes)

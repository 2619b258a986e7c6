"""Runs the method calls of a request, one after the other."""

import time
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, NamedTuple, TypeVar

from service.jmap.core.arguments import Arguments
from service.jmap.core.errors import FAULT, MethodError, method_error, note_fault
from service.jmap.core.references import References, Result
from service.jmap.core.request import Call, Request
from service.jmap.core.turns import Turns
from service.mail.errors import LoginRefused, MailError, Unauthenticated
from service.telemetry import metrics

C = TypeVar("C")
Answer = dict[str, Any]
Run = Callable[[C, Arguments], Awaitable[Answer]]


class Method(NamedTuple):
    """A method: the capability it belongs to, what runs it, and the names of its arguments (None: any)."""

    capability: str
    run: Callable[[Any, Arguments], Awaitable[Answer]]
    arguments: frozenset[str] | None


class Also(NamedTuple):
    """A call that another call makes implicitly (RFC 8620, 5.4; RFC 8621, 7.5). It runs next, with the same id."""

    name: str
    arguments: Answer


class Dispatch:
    """Runs calls on ``context``, which all of them share. A method may append to ``context.also``."""

    def __init__(self, methods: Mapping[str, Method], context: Any) -> None:
        self._methods, self._context = methods, context
        self._results: list[Result] = []
        self._references = References(self._results)

    async def run(self, request: Request) -> list[list[Any]]:
        """The responses in order. Raises only what concerns the sign-in."""
        turns = Turns()
        for number, call in enumerate(request.calls):
            await turns.pause()
            await self._answer(call, request.using, is_counted=number == 0)
            while self._context.also:
                name, arguments = self._context.also.pop(0)
                await self._answer(Call(name, arguments, call.id), None, is_counted=True)
        return [list(result) for result in self._results]

    async def _answer(self, call: Call, using: frozenset[str] | None, *, is_counted: bool) -> None:
        """``using`` None: a call that another one implies needs no capability of its own. ``is_counted``: against the
        account's rate, as the request was."""
        began = time.perf_counter()
        try:
            method = self._methods.get(call.name)
            if method is None or (using is not None and method.capability not in using):
                raise MethodError("unknownMethod")
            arguments = Arguments(self._references.resolve(call.arguments), method.arguments)
            result = Result(call.name, await self._run(method, arguments, is_counted=is_counted), call.id)
        except MethodError as error:
            result = Result("error", error.body, call.id)
        self._results.append(result)
        name = call.name if call.name in self._methods else "other"
        outcome = result.arguments["type"] if result.name == "error" else "ok"
        metrics.jmap_method(name, str(outcome), time.perf_counter() - began)

    async def _run(self, method: Method, arguments: Arguments, *, is_counted: bool) -> Answer:
        try:
            if not is_counted:
                await self._context.count()
            return await method.run(self._context, arguments)
        except (LoginRefused, Unauthenticated):
            raise
        except MailError as error:
            raise method_error(error) from error
        except MethodError:
            raise
        except Exception as error:
            note_fault(error)
            raise MethodError("serverFail", FAULT) from error

"""What a client answers to the challenges of a login, a line for each: POP3 (RFC 5034), SMTP (RFC 4954)."""

from collections.abc import Awaitable, Callable, Sequence
from typing import TypeAlias

from service.adapters.shared.sign_in.sasl import CANCEL, Exchange
from service.adapters.shared.sign_in.scram import Scram
from service.mail.errors import UpstreamProtocol

Respond: TypeAlias = Callable[[bytes], Awaitable[str]]
"""Returns the answer to a challenge, both in base64."""


def auth(mechanism: str, response: str, limit: int) -> tuple[str, list[str]]:
    """Returns the command AUTH, and the initial response if the server has to ask for it, because with it the command
    would have more than ``limit`` octets."""
    short = f"AUTH {mechanism} {response}"
    return (short, []) if len(short) + 2 <= limit else (f"AUTH {mechanism}", [response])


def respond_to(exchange: Exchange, initial: Sequence[str], protocol: str) -> Respond:
    """Answers with the initial response if it was not sent, then dismisses the challenge, then cancels. Raises
    UpstreamProtocol if the server still asks for more."""
    return respond_with([*initial, exchange.dismissal, CANCEL], protocol)


def respond_with(answers: Sequence[str], protocol: str) -> Respond:
    """Answers with these lines. Raises UpstreamProtocol if the server asks for more."""
    lines = iter(answers)

    async def respond(_: bytes) -> str:
        line = next(lines, None)
        if line is None:
            raise UpstreamProtocol("The mail server does not end its login.", protocol=protocol)
        return line

    return respond


def respond_by(exchange: Scram, initial: Sequence[str]) -> Respond:
    """Answers with the initial response if it was not sent, then as SCRAM says."""
    unsent = list(initial)

    async def respond(challenge: bytes) -> str:
        return unsent.pop() if unsent else await exchange.answer(challenge)

    return respond

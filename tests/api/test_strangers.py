"""A stranger who guesses cannot learn which mailboxes exist. The tests compare the work done, because times only hint at it."""

import httpx

from tests.api.served import CANARY, ME, USER, served
from tests.servers.scripted import Imap, ScriptedServer

REFUSED = b"{tag} NO [AUTHENTICATIONFAILED] not you\r\n"
WRONG = "x" * len(CANARY)
NOBODY = "s" + USER.username[1:]


def sign_in(command: bytes) -> bytes:
    return b"{tag} OK signed in\r\n" if CANARY.encode() in command else REFUSED


def told(answer: httpx.Response) -> tuple[int, dict[str, str], dict[str, str]]:
    """All of it, but what differs from answer to answer."""
    varying = {"requestId", "instance"}
    fields = {
        name: text for name, text in answer.headers.items() if name not in {"date", "x-request-id", "server-timing"}
    }
    return answer.status_code, fields, {name: text for name, text in answer.json().items() if name not in varying}


async def test_a_mailbox_in_use_is_refused_as_one_that_is_not_there() -> None:
    """R-HTTP-05: by the same commands and the same answer, and a token by none at all."""
    async with ScriptedServer([Imap(answers={"LOGIN": sign_in})]) as server, served(server) as service:
        assert (await service.client.get(f"{ME}/folders")).status_code == 200
        answers, commands = [], []
        for name in (USER.username, NOBODY):
            before = len(server.commands)
            answers.append(told(await service.client.get(f"{ME}/folders", auth=(name, WRONG))))
            commands.append([command.replace(name.encode(), b"?") for command in server.commands[before:]])
        assert answers[0][0] == 401
        assert answers[0] == answers[1]
        assert len(commands[0]) > 0
        assert commands[0] == commands[1]
        before = len(server.commands)
        for token in ("x", WRONG, "eyJhbGciOiJkaXIifQ....x"):
            answer = await service.client.get(f"{ME}/folders", auth=None, headers={"Authorization": f"Bearer {token}"})
            assert answer.status_code == 401
        assert len(server.commands) == before

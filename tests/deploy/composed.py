"""What compose.yaml starts, without containers: the same commands, files and environment, on free ports of this machine."""

import re
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from tests.deploy.chart import ROOT, Object
from tests.deploy.replica import Replica
from tests.servers.dovecot import Dovecot
from tests.servers.process import HOST, free_ports
from tests.servers.redis import Redis

FILE = ROOT / "compose.yaml"


def compose() -> Object:
    return dict(yaml.safe_load(FILE.read_text()))


class _Dovecot(Dovecot):
    """Dovecot with the configuration of compose.yaml: only places, ports and, if root does not start it, users differ."""

    def _conf(self) -> str:
        text = str(compose()["configs"]["dovecot"]["content"])
        own = text.replace("/srv/mail", f"{self.folder}/mail").replace("=mail", f"={self._owner.pw_uid}")
        for port, here in ((143, self.ports.imap), (110, self.ports.pop3)):
            own = re.sub(rf"port = {port}\b", f"port = {here}", own)
        lines = [f"base_dir = {self.folder}/run", f"listen = {HOST}"]
        if not self._drops_rights:
            lines += [f"default_internal_user = {self._owner.pw_name}", f"default_login_user = {self._owner.pw_name}"]
        return "\n".join((own, *lines, ""))


class _Casella(Replica):
    """Casella with the command and the environment of compose.yaml."""

    def __init__(self, command: list[str], env: dict[str, str], port: int) -> None:
        super().__init__(env)
        self.port, self.args = port, command


@dataclass(frozen=True)
class Composed:
    """The services that run, and how they are reached."""

    casella: Replica
    dovecot: Dovecot
    redis: Redis
    places: dict[str, str]
    """Hosts and ports of compose.yaml, and what they are here."""

    def here(self, words: list[str]) -> list[str]:
        return translated(words, self.places)


def translated(words: list[str], places: dict[str, str]) -> list[str]:
    """The words with this machine's ports and hosts. A scheme such as ``redis:`` is not a host."""
    known = re.compile(rf"(?<![\w-])({'|'.join(map(re.escape, places))})(?![\w-]|://)")
    return [known.sub(lambda found: places[found[0]], word) for word in words]


def variables(service: Object, places: dict[str, str]) -> dict[str, str]:
    """Its environment. A variable without a value comes from the shell of ``docker compose``."""
    given = {name: value for name, value in service["environment"].items() if value is not None}
    return dict(zip(given, translated(list(given.values()), places), strict=True))


@asynccontextmanager
async def started(folder: Path) -> AsyncIterator[Composed]:
    """All services, in the order of their dependencies."""
    services: dict[str, Any] = compose()["services"]
    async with AsyncExitStack() as stack:
        dovecot = stack.enter_context(_Dovecot())
        assert services["dovecot"]["command"] == ["dovecot", "-F"]  # as Dovecot.start runs it
        program, *options = services["redis"]["command"]
        assert program == "redis-server"
        redis = stack.enter_context(Redis(*options, "--dir", str(folder)))
        [port] = free_ports(1)
        ports = {"8000": port, "143": dovecot.ports.imap, "110": dovecot.ports.pop3, "6379": redis.port}
        places = {name: str(here) for name, here in ports.items()}
        places |= dict.fromkeys(("0.0.0.0", "dovecot", "redis"), HOST)
        env = variables(services["casella"], places)
        casella = _Casella(translated(services["casella"]["command"], places), env, port)
        await stack.enter_async_context(casella)
        yield Composed(casella, dovecot, redis, places)

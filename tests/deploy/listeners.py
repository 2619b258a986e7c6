"""Event streams while pods are replaced: they resume on any pod, and must report each new message once."""

import asyncio
from collections import Counter

import httpx

from tests.servers.dovecot import PASSWORD, Dovecot
from tests.servers.events import Stream

ME = "/v1/accounts/me"
SETTLE_SECONDS = 30.0


class Listener:
    """One client with one stream. It reconnects only when the service says so."""

    def __init__(self, client: httpx.AsyncClient, user: str) -> None:
        self._client = client
        self.user = user
        self.reported: list[str] = []
        """Ids of new messages, in the order they came."""
        self.resumed = 0
        self.failures: Counter[str] = Counter()
        self.is_heard = asyncio.Event()
        """Set when the first stream has begun: later messages must be reported."""

    async def listen(self) -> None:
        """For ever; cancelled at the end."""
        last: str | None = None
        while True:
            try:
                last = await self._stream(last)
            except (httpx.HTTPError, TimeoutError) as error:
                self.failures[f"stream {type(error).__name__}"] += 1
                await asyncio.sleep(1)
            self.resumed += 1

    async def _stream(self, last: str | None) -> str | None:
        """The token to go on from, once the service has said goodbye."""
        headers = {"Last-Event-ID": last} if last else {}
        async with self._client.stream("GET", f"{ME}/events", headers=headers, auth=(self.user, PASSWORD)) as answer:
            if answer.status_code != 200:
                self.failures[f"stream {answer.status_code} {(await answer.aread()).decode()[:200]}"] += 1
                await asyncio.sleep(1)
                return last
            stream = Stream(answer.aiter_lines(), last)
            retry = await self._hear(stream)
        if retry is None:
            self.failures["stream ended without a word"] += 1
        await asyncio.sleep((retry or 1000) / 1000)
        return stream.id

    async def _hear(self, stream: Stream) -> int | None:
        """Until it ends: the milliseconds after which to reconnect, if the service says so."""
        retry = None
        try:
            while True:
                event = await stream.next()
                retry = event.retry
                self.is_heard.set()
                if event.name == "resync":
                    self.failures["stream lost its place"] += 1
                self.reported += event.data.get("created", []) if event.name == "change" else []
        except StopAsyncIteration:
            return retry


class Audience:
    """Listeners, and the mail that is delivered to them meanwhile."""

    def __init__(self, dovecot: Dovecot, client: httpx.AsyncClient, users: list[str], mail: bytes) -> None:
        self._dovecot, self._client, self._mail = dovecot, client, mail
        self.listeners = [Listener(client, user) for user in users]
        self.delivered = 0

    @property
    def resumed(self) -> int:
        return sum(listener.resumed for listener in self.listeners)

    async def attend(self, seconds: float, enough: asyncio.Event) -> Counter[str]:
        """Deliver to one after another, ``seconds`` apart. A message that is missed or repeated is a failure."""
        streams = [asyncio.create_task(listener.listen()) for listener in self.listeners]
        try:
            for listener in self.listeners:
                await listener.is_heard.wait()
            while not enough.is_set():
                user = self.listeners[self.delivered % len(self.listeners)].user
                await asyncio.to_thread(self._dovecot.append, user, self._mail)
                self.delivered += 1
                await asyncio.sleep(seconds)
            await self._settle()
        finally:
            for stream in streams:
                stream.cancel()
            await asyncio.gather(*streams, return_exceptions=True)
        return sum((listener.failures for listener in self.listeners), await self._missed())

    async def _settle(self) -> None:
        """News need a moment, and a client between two streams a moment more."""
        until = asyncio.get_running_loop().time() + SETTLE_SECONDS
        while asyncio.get_running_loop().time() < until and self._reported < self.delivered:
            await asyncio.sleep(0.1)

    @property
    def _reported(self) -> int:
        return sum(len(listener.reported) for listener in self.listeners)

    async def _missed(self) -> Counter[str]:
        failures: Counter[str] = Counter()
        for number, listener in enumerate(self.listeners):
            count = len(range(number, self.delivered, len(self.listeners)))
            page = await self._client.get(
                f"{ME}/folders/inbox/messages", params={"limit": count or 1}, auth=(listener.user, PASSWORD)
            )
            news = {row["id"] for row in page.json()["items"][:count]}
            failures["message never reported"] += len(news - set(listener.reported))
            failures["message reported twice"] += len(listener.reported) - len(set(listener.reported))
        return +failures

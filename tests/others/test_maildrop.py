"""POP3 on Courier."""

import asyncio

from tests.contract.letters import plain
from tests.others.conftest import ME, serving
from tests.servers.courier import Courier


def read_all(server: Courier, user: str) -> None:
    """As another client does: the files of the messages get other names."""
    with server.connect(user) as client:
        client.select()
        client.store("1:*", "+FLAGS", "(\\Seen)")


async def test_messages_that_imap_moves_meanwhile_are_listed_read_and_deleted(courier: Courier) -> None:
    """R-POP-20, R-POP-21: within one lingering session, and within the ten seconds of the LOGIN-DELAY announced."""
    user = courier.user()
    courier.deliver(user, [(plain(str(n)), (), None) for n in range(4)])
    async with serving(courier, user, "pop3") as client:
        assert (await client.get("/folders"))["items"][0][
            "totalMessages"
        ] == 4  # the session is open, no header is read
        await asyncio.to_thread(read_all, courier, user)
        assert await client.subjects() == {"0", "1", "2", "3"}
        courier.deliver(user, [(plain("new"), (), None)])
        async with asyncio.timeout(15):
            while "new" not in await client.subjects():
                await asyncio.sleep(0.1)
        ids = {row["subject"]: row["id"] for row in (await client.get("/folders/inbox/messages"))["items"]}
        await asyncio.to_thread(read_all, courier, user)
        assert (await client.get(f"/messages/{ids['new']}"))["subject"] == "new"
        for name in ("0", "new"):
            assert (await client.http.delete(f"{ME}/messages/{ids.pop(name)}")).status_code == 204
            assert await client.subjects() == set(ids)

"""The demo mailbox by IMAP: pymap, in this process and event loop, on loopback, nothing on disk."""

import asyncio
from argparse import Namespace
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager

from proxyprotocol.reader import ProxyProtocolReader
from proxyprotocol.sock import SocketInfo
from pymap.backend.dict import Config, Login
from pymap.backend.dict.filter import FilterSet
from pymap.backend.dict.mailbox import MailboxSet
from pymap.concurrent import Subsystem
from pymap.imap import IMAPServer
from pymap.parsing.message import AppendMessage
from pymap.parsing.specials import Flag
from pymap.user import Passwords, UserMetadata

from service.demo.messages import DemoMessage


class _Config(Config):
    """Without looking up this machine's name in the DNS for a greeting."""

    @property
    def greeting(self) -> bytes:
        return b"Casella demo mailbox"


@asynccontextmanager
async def imap_mailbox(
    messages: Iterable[DemoMessage], username: str, password: str, port: int = 0
) -> AsyncIterator[int]:
    """Serves them while the context is open; yields the port. Another user's login is refused."""
    args = Namespace(passlib_cfg=None, proxy_protocol=None)
    config = _Config(
        args, host="127.0.0.1", port=port, tls_enabled=False, demo_data=False, demo_user=username,
        demo_password=password, cpu_subsystem=Subsystem.for_asyncio(), bad_command_limit=None,
    )  # fmt: skip
    config.apply_context()
    login = Login(config)
    hashed = await Passwords(config).hash_password(password)
    await login.demo_user_identity.set(UserMetadata(config, username, password=hashed))
    config.set_cache[username] = (await _filled(messages), FilterSet())
    connections: set[asyncio.Task[None]] = set()
    serve = IMAPServer(login, config)

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, info: SocketInfo) -> None:
        task = asyncio.current_task()
        assert task is not None
        connections.add(task)
        task.add_done_callback(connections.discard)
        await serve(reader, writer, info)

    callback = ProxyProtocolReader(config.proxy_protocol).get_callback(connected)
    server = await asyncio.start_server(callback, "127.0.0.1", port)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        for task in connections:
            task.cancel()
        await asyncio.gather(*connections, return_exceptions=True)
        await server.wait_closed()


async def _filled(messages: Iterable[DemoMessage]) -> MailboxSet:
    mailboxes = MailboxSet()
    known = {"INBOX"}
    for message in messages:
        if message.folder not in known:
            known.add(message.folder)
            await mailboxes.add_mailbox(message.folder)
            await mailboxes.set_subscribed(message.folder, True)
        mailbox = await mailboxes.get_mailbox(message.folder)
        flags = frozenset(Flag(flag.encode()) for flag in message.flags)
        await mailbox.append(AppendMessage(message.source, message.received_at, flags))
    return mailboxes

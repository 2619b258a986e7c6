"""The demo mailbox by IMAP: pymap, in this process and event loop, on loopback. Nothing is written to disk."""

import asyncio
from argparse import Namespace
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager

from proxyprotocol.sock import SocketInfo
from pymap.backend.dict import Config, Login
from pymap.backend.dict.filter import FilterSet
from pymap.backend.dict.mailbox import MailboxData, MailboxSet
from pymap.concurrent import Subsystem
from pymap.imap import IMAPServer
from pymap.parsing.message import AppendMessage
from pymap.parsing.specials import Flag, ObjectId
from pymap.parsing.specials.flag import Wildcard
from pymap.user import Passwords, UserMetadata
from pysasl.hashing import BuiltinHash

from service.demo.listener import listening
from service.demo.messages import DemoMessage

LINE = 1 << 20
"""The longest command without its literals, in octets. pymap ends the connection after a longer one."""


class _Config(Config):
    """Does not look up this machine's name in the DNS for the greeting."""

    @property
    def greeting(self) -> bytes:
        return b"Casella demo mailbox"


class _Folder(MailboxData):
    """Keeps any keyword. pymap's own keeps those that a message has when it comes, and neither adds nor removes any."""

    @property
    def permanent_flags(self) -> frozenset[Flag]:
        return super().permanent_flags | {Wildcard}


class _Folders(MailboxSet):
    def __init__(self) -> None:
        super().__init__()
        self._inbox = _Folder(self._content_cache, self._thread_cache)

    async def add_mailbox(self, name: str) -> ObjectId:
        await super().add_mailbox(name)
        self._set[name] = folder = _Folder(self._content_cache, self._thread_cache)
        return folder.mailbox_id


@asynccontextmanager
async def imap_mailbox(
    messages: Iterable[DemoMessage], username: str, password: str, port: int = 0
) -> AsyncIterator[int]:
    """Serves the messages while the context is open; yields the port. Other users cannot log in.

    In every folder UIDs rise in the order of ``messages``. UIDVALIDITY is different each time.
    """
    config = _config(username, password, port)
    config.apply_context()
    config.set_cache[username] = (await _fill(messages), FilterSet())
    serve = IMAPServer(await _login(config, username, password), config)

    async def converse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await serve(reader, writer, SocketInfo.get(writer, None))

    async with listening(converse, port, LINE) as bound_port:
        yield bound_port


def _config(username: str, password: str, port: int) -> _Config:
    """One round of hashing: the password is public, and the default of half a million would block the event loop."""
    return _Config(
        Namespace(passlib_cfg=None, proxy_protocol=None), host="127.0.0.1", port=port, tls_enabled=False,
        demo_data=False, demo_user=username, demo_password=password, hash_context=BuiltinHash(rounds=1),
        cpu_subsystem=Subsystem.for_asyncio(), bad_command_limit=None,
    )  # fmt: skip


async def _login(config: _Config, username: str, password: str) -> Login:
    login = Login(config)
    hashed = await Passwords(config).hash_password(password)
    await login.demo_user_identity.set(UserMetadata(config, username, password=hashed))
    return login


async def _fill(messages: Iterable[DemoMessage]) -> MailboxSet:
    mailboxes = _Folders()
    created = {"INBOX"}
    for message in messages:
        if message.folder not in created:
            created.add(message.folder)
            await mailboxes.add_mailbox(message.folder)
            await mailboxes.set_subscribed(message.folder, True)
        mailbox = await mailboxes.get_mailbox(message.folder)
        flags = frozenset(Flag(flag.encode()) for flag in message.flags)
        await mailbox.append(AppendMessage(message.source, message.received_at, flags))
    return mailboxes

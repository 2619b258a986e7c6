"""What the three have in common: a stateful IMAP server for one mailbox. One object serves one connection.

mailbox = gmail.mailbox()
async with ScriptedServer(lambda _: [Gmail(mailbox)]) as server:
    ...
"""

import asyncio
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import pairwise

from tests.servers.providers import keys
from tests.servers.providers.arguments import Argument, members, read
from tests.servers.providers.fetched import Item, items_of
from tests.servers.providers.mail import Folder, Letter, Mailbox
from tests.servers.scripted import Connection, Imap, verb_of

SYSTEM = ("\\Answered", "\\Flagged", "\\Draft", "\\Deleted", "\\Seen")
DONE = b"{tag} OK done"


class Refused(Exception):
    """The tagged answer is a refusal, such as ``NO [NONEXISTENT] Unknown Mailbox``."""


class Provider(Imap):
    """The usual answers; subclasses say what is odd."""

    offered = b"IMAP4rev1"
    permanent: tuple[str, ...] = (*SYSTEM, "\\*")
    greets = b"* OK ready\r\n"

    def __init__(self, mailbox: Mailbox, seconds: float = 0) -> None:
        super().__init__()
        self.mailbox = mailbox
        self.seconds = seconds
        """How long every answer takes."""
        self.selected: Folder | None = None

    async def play(self, connection: Connection) -> None:
        await asyncio.sleep(self.seconds)
        await connection.send(self.greets)
        verb = ""
        while verb != "LOGOUT":
            command = await connection.command(self.continuation)
            if command is None:
                continue
            verb = verb_of(command)
            await asyncio.sleep(self.seconds)
            if verb == "IDLE":
                await self._idle(connection)
            else:
                answer = b"\r\n".join([*self.answers_to(verb, command), b""])
                await connection.send(answer.replace(b"{tag}", connection.tag, answer.count(b"{tag}")))

    async def _idle(self, connection: Connection) -> None:
        tag = connection.tag
        await connection.send(b"+ idling\r\n")
        await connection.line()
        await asyncio.sleep(self.seconds)
        await connection.send(tag + b" OK done\r\n")

    def answers_to(self, verb: str, command: bytes) -> list[bytes]:
        """All lines of the answer."""
        method = getattr(self, "on_" + verb.lower().replace(" ", "_"), None)
        if method is None:
            return [b"{tag} BAD unknown command"]
        arguments = read(command)[2 if verb.startswith("UID") else 1 :]
        try:
            return [*method(arguments)]
        except Refused as refusal:
            return [b"{tag} " + str(refusal).encode()]
        except keys.NoSuchKey:
            return [self.no_such_key]

    no_such_key = b"{tag} BAD Could not parse command"

    def on_capability(self, _: list[Argument]) -> Iterator[bytes]:
        yield b"* CAPABILITY " + self.offered
        yield DONE

    def on_login(self, _: list[Argument]) -> Iterator[bytes]:
        yield b"* CAPABILITY " + self.offered
        yield DONE

    def on_logout(self, _: list[Argument]) -> Iterator[bytes]:
        yield b"* BYE"
        yield DONE

    def on_noop(self, _: list[Argument]) -> Iterator[bytes]:
        yield DONE

    def on_id(self, _: list[Argument]) -> Iterator[bytes]:
        yield b'* ID ("name" "server")'
        yield DONE

    def on_namespace(self, _: list[Argument]) -> Iterator[bytes]:
        yield b'* NAMESPACE (("" "/")) NIL NIL'
        yield DONE

    def on_list(self, arguments: list[Argument]) -> Iterator[bytes]:
        yield from (b'* LIST (%b) "/" "%b"' % (each.attributes.encode(), each.name.encode()) for each in self._listed())
        if len(arguments) > 2:
            yield from (self._status(each) for each in self._listed() if each.is_selectable)
        yield DONE

    def on_lsub(self, _: list[Argument]) -> Iterator[bytes]:
        yield from (b'* LSUB () "/" "%b"' % each.name.encode() for each in self._listed() if each.is_selectable)
        yield DONE

    def _listed(self) -> Iterable[Folder]:
        return self.mailbox.folders.values()

    def on_status(self, arguments: list[Argument]) -> Iterator[bytes]:
        yield self._status(self.folder(arguments[0]))
        yield DONE

    def _status(self, folder: Folder) -> bytes:
        unseen = sum("\\Seen" not in letter.flags for letter in folder.letters.values())
        numbers = (len(folder.letters), unseen, folder.uid_next, folder.uid_validity)
        items = b"MESSAGES %d UNSEEN %d UIDNEXT %d UIDVALIDITY %d" % numbers
        return b'* STATUS "%b" (%b)' % (folder.name.encode(), items + self.counted(folder))

    def counted(self, folder: Folder) -> bytes:
        """More items of STATUS."""
        return b""

    def folder(self, name: Argument) -> Folder:
        """The folder of this name. Raises Refused if it cannot be selected."""
        assert isinstance(name, bytes)
        folder = self.mailbox.folders.get(name.decode())
        if folder is None or not folder.is_selectable:
            raise Refused(f"NO [NONEXISTENT] Unknown Mailbox: {name.decode()} (Failure)")
        return folder

    def on_select(self, arguments: list[Argument]) -> Iterator[bytes]:
        folder = self.selected = self.folder(arguments[0])
        yield b"* FLAGS (%b)" % " ".join(SYSTEM).encode()
        yield b"* OK [PERMANENTFLAGS (%b)] limited" % " ".join(self.permanent).encode()
        yield b"* %d EXISTS" % len(folder.letters)
        yield b"* OK [UIDVALIDITY %d] valid" % folder.uid_validity
        yield b"* OK [UIDNEXT %d] next" % folder.uid_next
        yield b"{tag} OK [READ-WRITE] selected"

    @property
    def letters(self) -> dict[int, Letter]:
        """Those of the selected folder by UID."""
        if self.selected is None:
            raise Refused("BAD not in this state")
        return self.selected.letters

    def on_fetch(self, arguments: list[Argument]) -> Iterator[bytes]:
        numbers = members(_octets(arguments[0]), range(1, len(self.letters) + 1))
        uids = list(self.letters)
        yield from self.fetched(self.done([uids[number - 1] for number in numbers]), arguments[1])
        yield self.status

    def on_uid_fetch(self, arguments: list[Argument]) -> Iterator[bytes]:
        modifier = arguments[2] if len(arguments) > 2 else []
        since = int(_octets(modifier[1])) if isinstance(modifier, list) and modifier else -1
        uids = [uid for uid in self.named(arguments[0]) if self.letters[uid].changed > since]
        yield from self.fetched(uids, arguments[1])
        yield self.status

    def named(self, uids: Argument) -> list[int]:
        """The messages of a set for which the command is carried out."""
        return self.done(members(_octets(uids), list(self.letters)))

    def done(self, uids: list[int]) -> list[int]:
        """Those of the messages for which the command is carried out; ``status`` says so."""
        return uids

    status = DONE

    def fetched(self, uids: Sequence[int], items: Argument) -> Iterator[bytes]:
        """The rows of these messages."""
        asked = [_octets(item) for item in items] if isinstance(items, list) else [_octets(items)]
        places = {uid: at for at, uid in enumerate(self.letters, 1)}
        for uid in uids:
            letter = self.letters[uid]
            row = [piece for item in asked for piece in self.item(item.upper(), uid, letter)]
            yield b"* %d FETCH (%b)" % (places[uid], b" ".join(self.ordered(row)))

    def item(self, item: Item, uid: int, letter: Letter) -> Iterator[bytes]:
        """An item with its value. Raises Refused for one that the server does not know."""
        found = items_of(item, uid, letter)
        if found is None:
            raise Refused("BAD Could not parse command")
        yield found

    def ordered(self, row: list[bytes]) -> list[bytes]:
        """The items of a row in the order in which the server has them."""
        return row

    def on_uid_search(self, arguments: list[Argument]) -> Iterator[bytes]:
        is_extended = arguments[0] == b"RETURN"
        arguments = arguments[2:] if is_extended else arguments
        if isinstance(arguments[0], bytes) and arguments[0].upper() == b"CHARSET":
            self.take_charset(_octets(arguments[1]))
            arguments = arguments[2:]
        matches = keys.all_of(arguments, self.has, self.own_key)
        within = [key for word, key in pairwise(arguments) if word == b"UID" and isinstance(key, bytes)]
        searched = self.named(within[-1] if within else b"1:*")
        found = [uid for uid in searched if matches(uid, self.letters[uid])]
        numbers = [b"%d" % uid for uid in found]
        extended = b" ".join([b'* ESEARCH (TAG "{tag}") UID', *([b"ALL", b",".join(numbers)] if found else [])])
        yield extended if is_extended else b" ".join([b"* SEARCH", *numbers])
        yield self.status

    def take_charset(self, charset: bytes) -> None:
        """Raises Refused for a charset that the server does not know."""

    def has(self, text: str, wanted: str) -> bool:
        """Whether the text has what is searched for (RFC 3501, 6.4.4)."""
        return wanted.casefold() in text.casefold()

    def own_key(self, key: bytes, rest: Iterator[Argument]) -> keys.Matches | None:
        """A key of the server's own."""
        return None

    def on_uid_store(self, arguments: list[Argument]) -> Iterator[bytes]:
        uids = self.named(arguments[0])
        item, flags = _octets(arguments[1]).upper(), arguments[2]
        assert isinstance(flags, list)
        words = {_octets(flag).decode() for flag in flags}
        for uid in uids:
            self.store(self.letters[uid], item, words)
            self.mailbox.note(self.letters[uid])
        yield from self.fetched(uids, [b"UID", b"FLAGS"])
        yield self.status

    def store(self, letter: Letter, item: bytes, words: set[str]) -> None:
        """Change the flags of a letter."""
        change: dict[bytes, Callable[[set[str]], set[str]]] = {
            b"+FLAGS": letter.flags.union, b"-FLAGS": letter.flags.difference, b"FLAGS": set
        }  # fmt: skip
        letter.flags = change[item](words)

    def on_uid_copy(self, arguments: list[Argument]) -> Iterator[bytes]:
        yield self._copied(members(_octets(arguments[0]), list(self.letters)), self.folder(arguments[1]))
        yield DONE

    def on_uid_move(self, arguments: list[Argument]) -> Iterator[bytes]:
        uids = self.named(arguments[0])
        yield self._copied(uids, self.folder(arguments[1]))
        yield from self._removed(uids)
        yield self.status

    def on_uid_expunge(self, arguments: list[Argument]) -> Iterator[bytes]:
        deleted = [uid for uid, letter in self.letters.items() if "\\Deleted" in letter.flags]
        yield from self._removed(self.done(members(_octets(arguments[0]), deleted)))
        yield self.status

    def _copied(self, uids: Sequence[int], target: Folder) -> bytes:
        new = [target.add(self.letters[uid]) for uid in uids]
        old, made = (b",".join(b"%d" % uid for uid in each) for each in (uids, new))
        return b"* OK [COPYUID %d %b %b] copied" % (target.uid_validity, old, made)

    def _removed(self, uids: Sequence[int]) -> Iterator[bytes]:
        for uid in uids:
            yield b"* %d EXPUNGE" % (list(self.letters).index(uid) + 1)
            del self.letters[uid]


def _octets(argument: Argument) -> bytes:
    assert isinstance(argument, bytes)
    return argument

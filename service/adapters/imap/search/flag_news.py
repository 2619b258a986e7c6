"""The flags of the messages that a search finds, in its own round trip: those that lists have shown, and what changed
of them since (RFC 7162, 3.1.4.1)."""

from collections.abc import Sequence

from service.adapters.imap.messages.folder_messages import FolderMessages, JsonOf
from service.adapters.imap.messages.known_flags import FlagsRead
from service.adapters.imap.session.connection import Arguments
from service.adapters.imap.wire.arguments import uid_set
from service.adapters.imap.wire.commands import Answer
from service.adapters.imap.wire.responses import fetch_rows
from service.adapters.imap.wire.values.flags import json_from_wire


class FlagNews:
    """What is asked beside the search. Made before it is sent."""

    def __init__(self, messages: FolderMessages) -> None:
        self._messages = messages
        self._known = messages.known_flags
        self._flags = self._known.merged() if messages.as_of else {}
        self._is_read = False

    @property
    def command(self) -> Arguments:
        """Empty if nothing is known, or if the server does not count changes."""
        if not self._flags:
            return ()
        return [b"UID", b"FETCH", uid_set(sorted(self._flags)), b"(FLAGS) (CHANGEDSINCE %d)" % self._known.since]

    async def read(self, answer: Answer) -> None:
        """Take in the answer to the command."""
        if answer.status.kind != "OK":
            return
        for uid, row in (await fetch_rows(answer.untagged)).items():
            if uid in self._flags and b"FLAGS" in row:
                self._flags[uid] = json_from_wire(row[b"FLAGS"])
        self._is_read = True
        as_of = max(self._messages.selection.change_before, self._known.since)
        self._messages.confirm_flags(self._known, FlagsRead(as_of, self._flags))

    def rows(self, uids: Sequence[int]) -> JsonOf | None:
        """The rows of these messages, if all of them are known."""
        if not self._is_read or any(uid not in self._flags for uid in uids):
            return None
        return self._messages.known_rows(uids, self._flags)

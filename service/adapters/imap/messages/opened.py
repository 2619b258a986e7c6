"""Messages that were opened before: apart from flags and labels nothing of a message ever changes, so opening it again
takes one round trip for those, and no octet of its texts.
"""

from sys import getsizeof

from cachetools import LRUCache

from service.mail.model import HtmlMode, Message

SHARE = 8
"""Rows are shown far more often: the memory for messages is one part in as many of that for rows."""
MESSAGE_COST = 6000
"""Octets of a Message in memory beside its texts and parts. This and the next were measured with tracemalloc."""
PART_COST = 900
_MOST = 16
"""A message that would take more than one part in as many of all that is kept, is not kept."""
OpenedKey = tuple[str, bytes, int, int, HtmlMode]
"""Account, folder, UIDVALIDITY, UID, and how the HTML was asked for."""


class OpenedMessages:
    """Bounded by octets over all accounts of the process; the message opened least recently goes first."""

    def __init__(self, budget: int) -> None:
        self._messages: LRUCache[OpenedKey, Message] = LRUCache(budget, getsizeof=cost)

    @property
    def octets(self) -> int:
        """The approximate size in memory."""
        return int(self._messages.currsize)

    def get(self, key: OpenedKey) -> Message | None:
        """The message with the flags and labels of then."""
        return self._messages.get(key)

    def keep(self, key: OpenedKey, message: Message) -> None:
        """Keep it for the next time, unless it is large."""
        if cost(message) <= self._messages.maxsize // _MOST:
            self._messages[key] = message


def cost(message: Message) -> int:
    """The approximate size in memory, in octets."""
    parts = sum(1 for _ in message.structure.walk()) if message.structure else 0
    texts = getsizeof(message.body.text) + getsizeof(message.body.html)
    return MESSAGE_COST + PART_COST * (parts + len(message.attachments)) + texts

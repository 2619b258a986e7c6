"""Which messages are one Email. A mail server that knows (Dovecot, Gmail, RFC 8474) gives copies of a message one
permanent id; then that is the Email's id, and its messages are the places where it lies. Otherwise each message is an
Email of its own.

What was learnt is kept in memory, for all accounts together, and is only a hint: messages are read before anything is
said of them, and each request first takes over what changed since the last one.
"""

from collections.abc import Iterable, Mapping, Sequence

from cachetools import LRUCache

from service.mail.backend import Backend
from service.mail.changes import AccountChanges
from service.mail.errors import LoginRefused, MailError, NotSupported

KEPT = 50_000
"""Messages, of all accounts."""
KEPT_ACCOUNTS = 2_000
_UNKNOWN = "", -1
"""Of a message that is among no Email's places: no epoch is negative."""
MAX_NEW = 2_000
"""New messages that are looked at between two requests. After more, places are searched again."""


class Index:
    """Of all accounts of a process. Ids of messages name their account, so accounts cannot mix."""

    def __init__(self) -> None:
        self._email_of: LRUCache[str, tuple[str, int]] = LRUCache(KEPT)
        """With the epoch at which it is among the Email's places."""
        self._places: LRUCache[tuple[int, str], dict[str, None]] = LRUCache(KEPT)
        self._complete: LRUCache[tuple[int, str], bool] = LRUCache(KEPT)
        """The Emails of which all places are known: they were searched, and what came since was taken over."""
        self._threads: LRUCache[str, str] = LRUCache(KEPT)
        self._tokens: LRUCache[str, bytes] = LRUCache(KEPT_ACCOUNTS)
        self._mailboxes: LRUCache[str, dict[str, str]] = LRUCache(KEPT_ACCOUNTS)
        self._epochs: dict[str, int] = {}
        self._epoch = 0

    def of(self, backend: Backend) -> "AccountIndex":
        """The part of one account."""
        return AccountIndex(self, backend)

    def email_of(self, message: str) -> str | None:
        """The Email's id, if it is known."""
        known = self._email_of.get(message)
        return known[0] if known else None

    def placed(self, account: str, messages: Iterable[str]) -> dict[str, str]:
        """The Emails of those messages that are among the known places of theirs."""
        epoch, known = self._epochs.get(account, 0), self._email_of
        found = ((message, known.get(message, _UNKNOWN)) for message in messages)
        return {message: email for message, (email, since) in found if since == epoch}

    def places_of(self, account: str, emails: Iterable[str]) -> dict[str, tuple[str, ...]]:
        """The messages of each Email, as far as they are known."""
        epoch, known = self._epochs.get(account, 0), self._places
        return {email: tuple(known.get((epoch, email), ())) for email in emails}

    def note(self, account: str, message: str, email: str) -> None:
        """The message is this Email."""
        epoch = self._epochs.get(account, 0)
        self._email_of[message] = email, epoch
        key = epoch, email
        known = self._places.get(key)
        if known is None:
            self._places[key] = {message: None}
        else:
            known[message] = None

    def is_complete(self, account: str, email: str) -> bool:
        return (self._epochs.get(account, 0), email) in self._complete

    def note_complete(self, account: str, email: str) -> None:
        self._complete[self._epochs.get(account, 0), email] = True

    def drop(self, account: str, message: str) -> None:
        """The message is gone. Which Email it was is still known."""
        email = self.email_of(message)
        if email is None:
            return
        self._email_of[message] = email, -1
        key = self._epochs.get(account, 0), email
        if (known := self._places.get(key)) is not None:
            known.pop(message, None)
            if not known:
                del self._places[key]

    def forget_places(self, account: str) -> None:
        """Forget the places of the account's messages."""
        self._epoch += 1
        self._epochs.pop(account, None)
        self._epochs[account] = self._epoch
        while len(self._epochs) > KEPT_ACCOUNTS:
            del self._epochs[next(iter(self._epochs))]

    def note_thread(self, email: str, thread: str) -> None:
        self._threads[email] = thread

    def thread_of(self, email: str) -> str | None:
        return self._threads.get(email)

    def mailboxes_of(self, account: str) -> dict[str, str] | None:
        """The permanent ids of folders, by their ids; None if they are not known, or may have changed."""
        return self._mailboxes.get(account)

    def keep_mailboxes(self, account: str, mailboxes: dict[str, str] | None) -> None:
        if mailboxes is None:
            self._mailboxes.pop(account, None)
        else:
            self._mailboxes[account] = mailboxes

    def token_of(self, account: str) -> bytes | None:
        return self._tokens.get(account)

    def keep_token(self, account: str, token: bytes | None) -> None:
        if token is None:
            self._tokens.pop(account, None)
        else:
            self._tokens[account] = token


class AccountIndex:
    """The Emails of one account."""

    def __init__(self, index: Index, backend: Backend) -> None:
        self._index, self._backend = index, backend
        self._account = backend.account

    async def follow(self) -> bytes:
        """The present sync token. What changed since the last one is taken over. The round trips of
        ``list_all_changes``, or of ``get_sync_token`` if there is none yet."""
        known = self._index.token_of(self._account)
        if known is not None:
            try:
                changes = await self._backend.list_all_changes(known)
                if not changes.has_more:
                    await self._take_over(changes)
                    return changes.token
            except LoginRefused:
                raise
            except MailError:
                pass
        token = await self._backend.get_sync_token(None)
        if token != known:
            self._forget()
            self._index.keep_token(self._account, token)
        return token

    def _forget(self) -> None:
        self._index.forget_places(self._account)
        self._index.keep_mailboxes(self._account, None)

    async def _take_over(self, changes: AccountChanges) -> None:
        created = [message for folder in changes.folders for message in folder.created]
        is_unknown = any(folder.resync for folder in changes.folders)
        if is_unknown or changes.created_folders or changes.destroyed_folders or len(created) > MAX_NEW:
            self._forget()
        else:
            for folder in changes.folders:
                for message in folder.destroyed:
                    self._index.drop(self._account, message)
            await self.emails_of(created)
        self._index.keep_token(self._account, changes.token)

    async def emails_of(self, messages: Iterable[str]) -> dict[str, str]:
        """The Email of each message, in order. One round trip for each folder with messages that are not known yet. One
        that no longer exists is an Email of its own, and not kept: it may have been part of another one."""
        wanted = dict.fromkeys(messages)
        placed = self._index.placed(self._account, wanted)
        if len(placed) == len(wanted):
            return placed
        emails = {message: placed.get(message) or self._index.email_of(message) for message in wanted}
        unknown = [message for message, email in emails.items() if email is None]
        found = await self._backend.get_email_ids(unknown) if unknown else {}
        is_plain = not self._backend.has_email_ids
        for message, email in emails.items():
            known = email or found.get(message) or (message if is_plain else None)
            if known is not None and message not in placed:
                self._index.note(self._account, message, known)
            emails[message] = known or message
        return {message: email or message for message, email in emails.items()}

    async def mailboxes(self) -> dict[str, str]:
        """The id of each folder as a Mailbox, by the folder's id, as far as they differ. A round trip if not known."""
        known = self._index.mailboxes_of(self._account)
        if known is None:
            known = dict(await self._backend.get_folder_ids())
            self._index.keep_mailboxes(self._account, known)
        return known

    def note_thread(self, email: str, thread: str) -> None:
        """The Email is of this thread, for the time when it is gone."""
        self._index.note_thread(email, thread)

    def thread_of(self, email: str) -> str | None:
        """The thread of an Email that may be gone; None if that is not known."""
        return self._index.thread_of(email)

    def forget_mailboxes(self) -> None:
        """Folders were just made, renamed or removed."""
        self._index.keep_mailboxes(self._account, None)

    async def complete(self, emails: Iterable[str]) -> None:
        """Search the other places of Emails, unless they are known. The round trips of ``search``, or none."""
        missing = [each for each in emails if is_permanent(each) and not self._index.is_complete(self._account, each)]
        if missing:
            await self.search(missing)

    def note_new(self, email: str) -> None:
        """The Email was just made: it has no places but those that are known."""
        self._index.note_complete(self._account, email)

    def note(self, message: str, email: str) -> None:
        """The message was just made, and is this Email."""
        self._index.note(self._account, message, email)

    def drop(self, message: str) -> None:
        """The message was just removed."""
        self._index.drop(self._account, message)

    def known(self, message: str) -> str | None:
        """The Email of a message that may be gone; None if that is not known."""
        return self._index.email_of(message) or (None if self._backend.has_email_ids else message)

    async def places_of(self, emails: Sequence[str], *, search: bool = True) -> Mapping[str, tuple[str, ...]]:
        """The messages of each Email. Those of which no place is known are searched in all folders. Emails that are
        not found are left out, unless they are messages themselves."""
        places = self._index.places_of(self._account, emails)
        missing = [email for email, known in places.items() if not known and is_permanent(email)]
        if missing and search:
            places |= await self.search(missing)
        return {email: known or (email,) for email, known in places.items() if known or not is_permanent(email)}

    async def search(self, emails: Sequence[str]) -> dict[str, tuple[str, ...]]:
        """The messages of each, searched in all folders."""
        try:
            found = await self._backend.find_emails(emails)
        except NotSupported:
            found = {}
        for email, messages in found.items():
            for message in messages:
                self._index.note(self._account, message, email)
            self._index.note_complete(self._account, email)
        return {email: tuple(messages) for email, messages in found.items()}


def is_permanent(email: str) -> bool:
    """Whether the id is one that a mail server keeps for a message in all folders."""
    return email.startswith("g_")

"""Identity/get, /changes and /set: the identities in the settings of the account, which the API has too."""

from collections.abc import Mapping
from secrets import token_hex
from typing import Any

from service.jmap.account.account import Account
from service.jmap.core.arguments import Arguments
from service.jmap.core.errors import MethodError, SetError, set_error
from service.jmap.core.known import read_known, write_known
from service.jmap.core.records import Changes, Outcomes, get_response, select, wanted_properties
from service.jmap.values.identities import PROPERTIES, Record, created, digest_of, member_of, record_of, updated
from service.mail.errors import Changed, InvalidRequest, NotPermitted, OverQuota, StaleToken, TooLarge
from service.mail.model import Capability
from service.personal.settings import MAX_IDENTITIES
from service.personal.stored import Member, Stored, read_stored, write_stored

KIND = b"i"
"""Begins the states of identities."""
TRIES = 5
"""If other devices change the settings at the same time."""


async def identities_of(account: Account) -> dict[str, Record]:
    """By id; empty if the username is not an address and the user has added none."""
    return _records(account, await read_stored(account.backend, account.username))


def _records(account: Account, stored: Stored) -> dict[str, Record]:
    can_write = _can_write(account)
    pairs = zip(stored.identities, stored.members, strict=True)
    return {each.id: record_of(each, member, is_writable=can_write) for each, member in pairs}


def _can_write(account: Account) -> bool:
    return Capability.SETTINGS in account.backend.capabilities


def _state(account: Account, records: Mapping[str, Record]) -> str:
    known = {each: digest_of(record) for each, record in records.items()}
    return account.host.states.sign(account.id, write_known(KIND, known))


async def get(account: Account, arguments: Arguments) -> dict[str, Any]:
    """Identity/get."""
    account.require(arguments)
    properties, ids = wanted_properties(arguments, PROPERTIES), arguments.ids("ids")
    identities = await identities_of(account)
    wanted = None if ids is None else [account.resolve(each) for each in ids]
    return get_response(account.id, _state(account, identities), select(identities, wanted, properties), wanted)


async def changes(account: Account, arguments: Arguments) -> dict[str, Any]:
    """Identity/changes. The state says by itself which identities there were."""
    account.require(arguments)
    since, most = arguments.required_text("sinceState"), arguments.number("maxChanges", least=1)
    records = await identities_of(account)
    state = _state(account, records)
    if state == since:
        return no_changes(account, arguments, state)
    known = read_known(KIND, account.host.states.open(account.id, since))
    new = [each for each in records if each not in known]
    changed = [each for each, record in records.items() if each in known and known[each] != digest_of(record)]
    gone = [each for each in known if each not in records]
    if most is not None and len(new) + len(changed) + len(gone) > most:
        raise StaleToken("There are more changes than that.")
    return {
        "accountId": account.id,
        "oldState": since,
        "newState": state,
        "hasMoreChanges": False,
        "created": new,
        "updated": changed,
        "destroyed": gone,
    }


def no_changes(account: Account, arguments: Arguments, state: str) -> dict[str, Any]:
    """The response of a type whose records never change. Raises cannotCalculateChanges for any other state."""
    account.require(arguments)
    arguments.number("maxChanges", least=1)
    if arguments.required_text("sinceState") != state:
        raise StaleToken("This is not a state of these records.")
    return {
        "accountId": account.id,
        "oldState": state,
        "newState": state,
        "hasMoreChanges": False,
        "created": [],
        "updated": [],
        "destroyed": [],
    }


async def set_identities(account: Account, arguments: Arguments) -> dict[str, Any]:
    """Identity/set. All changes are one write of the settings."""
    account.require(arguments)
    changes, expected = Changes(arguments), arguments.text("ifInState")
    for _ in range(TRIES):
        stored = await read_stored(account.backend, account.username)
        edit = _Edit(account, stored, changes)
        old = _state(account, edit.records)
        await account.require_state(expected, old)
        edit.run()
        try:
            await edit.write()
        except Changed:
            continue
        return edit.outcomes.response(account.id, old, _state(account, edit.records))
    raise MethodError("serverUnavailable", "Other devices change the settings all the time. Try again.")


class _Edit:
    """The changes of one call, made to the identities as they were read."""

    def __init__(self, account: Account, stored: Stored, changes: Changes) -> None:
        self.outcomes = Outcomes()
        self.records = _records(account, stored)
        self._account, self._stored, self._changes = account, stored, changes
        self._members: dict[str, Member] = {member["id"]: member for member in stored.members}
        self._made: dict[str, str] = {}

    def run(self) -> None:
        """Change what may be changed; each error concerns one record."""
        for key, values in self._changes.create.items():
            self._attempt(self.outcomes.not_created, key, self._create, values)
        for key, patch in self._changes.update.items():
            self._attempt(self.outcomes.not_updated, key, self._update, patch)
        for key in self._changes.destroy:
            self._attempt(self.outcomes.not_destroyed, key, self._destroy)

    def _attempt(self, errors: dict[str, Record], key: str, work: Any, *values: Any) -> None:
        try:
            if not _can_write(self._account):
                raise SetError("forbidden", "This mailbox cannot store settings.")
            work(key, *values)
        except SetError as error:
            errors[key] = error.body

    def _create(self, key: str, values: Mapping[str, Any]) -> None:
        if len(self._members) >= MAX_IDENTITIES:
            raise SetError("overQuota", f"An account has at most {MAX_IDENTITIES} identities.")
        record = created(f"i-{token_hex(8)}", values)
        self._members[record["id"]] = member_of(record, {})
        self.records[record["id"]] = record
        self._made[key] = record["id"]
        self.outcomes.created[key] = {
            name: value for name, value in record.items() if name not in values or values[name] != value
        }

    def _update(self, key: str, patch: Mapping[str, Any]) -> None:
        identity = self._resolve(key)
        record = updated(self.records[identity], patch)
        self._members[identity] = member_of(record, self._members[identity])
        self.records[identity] = record
        self.outcomes.updated[identity] = None

    def _destroy(self, key: str) -> None:
        identity = self._resolve(key)
        if not self.records[identity]["mayDelete"]:
            raise SetError("forbidden", "The identity of the login cannot be removed.")
        del self._members[identity], self.records[identity]
        self.outcomes.destroyed.append(identity)

    def _resolve(self, key: str) -> str:
        """Raises notFound."""
        identity = self._made.get(key[1:]) if key.startswith("#") else None
        identity = identity or self._account.resolve(key)
        if identity not in self.records:
            raise SetError("notFound")
        return identity

    async def write(self) -> None:
        """One write for all changes; if it is refused, none is made. Raises Changed."""
        done = self.outcomes
        if not (done.created or done.updated or done.destroyed):
            return
        try:
            await write_stored(self._account.backend, self._stored, list(self._members.values()))
        except Changed:
            raise
        except (InvalidRequest, NotPermitted, OverQuota, TooLarge) as error:
            self._refuse(set_error(error))
            return
        self._account.created.update(self._made)
        self._account.forget_identities()

    def _refuse(self, error: SetError) -> None:
        done = self.outcomes
        done.not_created |= dict.fromkeys(done.created, error.body)
        done.not_updated |= dict.fromkeys(done.updated, error.body)
        done.not_destroyed |= dict.fromkeys(done.destroyed, error.body)
        done.created, done.updated, done.destroyed = {}, {}, []
        self.records = _records(self._account, self._stored)

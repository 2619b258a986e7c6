"""What /get and /set of all data types have in common (RFC 8620, 5.1 and 5.3)."""

from collections.abc import Awaitable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from service.jmap.core.arguments import Arguments, require_few
from service.jmap.core.errors import FAULT, MethodError, SetError, invalid, note_fault, set_error
from service.mail.errors import LoginRefused, MailError, Unauthenticated

Record = dict[str, Any]
GET = frozenset({"ids", "properties"})
CHANGES = frozenset({"sinceState", "maxChanges"})
SET = frozenset({"ifInState", "create", "update", "destroy"})


def wanted_properties(arguments: Arguments, known: Iterable[str]) -> list[str]:
    """The properties asked for, ``id`` always among them. Raises invalidArguments for one that does not exist."""
    names = arguments.texts("properties")
    if names is None:
        return list(known)
    if unknown := set(names) - set(known):
        raise invalid(f"There is no property {min(unknown)[:100]}.")
    return list(dict.fromkeys(("id", *names)))


def get_response(account: str, state: str, records: Sequence[Record], ids: Sequence[str] | None) -> Record:
    """The response of a /get; what of ``ids`` has no record is not found."""
    found = {record["id"] for record in records}
    missing = [each for each in dict.fromkeys(ids or ()) if each not in found]
    return {"accountId": account, "state": state, "list": list(records), "notFound": missing}


def select(records: Mapping[str, Record], ids: Sequence[str] | None, properties: Sequence[str]) -> list[Record]:
    """The records asked for, all if ``ids`` is None, each with these properties."""
    chosen = records.values() if ids is None else (records[each] for each in dict.fromkeys(ids) if each in records)
    return [{name: record[name] for name in properties} for record in chosen]


class Outcomes:
    """The outcomes of a /set, one for each record."""

    def __init__(self) -> None:
        self.created: dict[str, Record] = {}
        self.not_created: dict[str, Record] = {}
        self.updated: dict[str, Record | None] = {}
        self.not_updated: dict[str, Record] = {}
        self.destroyed: list[str] = []
        self.not_destroyed: dict[str, Record] = {}

    def response(self, account: str, old: str, new: str) -> Record:
        return {
            "accountId": account,
            "oldState": old,
            "newState": new,
            "created": self.created or None,
            "updated": self.updated or None,
            "destroyed": self.destroyed or None,
            "notCreated": self.not_created or None,
            "notUpdated": self.not_updated or None,
            "notDestroyed": self.not_destroyed or None,
        }


@contextmanager
def reporting(outcomes: Outcomes) -> Iterator[None]:
    """An error after the first change is ``serverPartialFail``: a client that tries again would do things twice."""
    try:
        yield
    except (LoginRefused, Unauthenticated):
        raise
    except (MailError, MethodError) as error:
        if outcomes.created or outcomes.updated or outcomes.destroyed:
            raise MethodError("serverPartialFail", str(error)) from error
        raise


class Changes:
    """What a /set asks for. Raises invalidArguments, and requestTooLarge for too many records."""

    def __init__(self, arguments: Arguments) -> None:
        self.create = arguments.objects("create")
        self.update = arguments.objects("update")
        self.destroy = list(dict.fromkeys(arguments.texts("destroy") or ()))
        require_few(self.create, self.update, self.destroy)


async def attempt(errors: dict[str, Record], key: str, work: Awaitable[None]) -> None:
    """Does the work for one record; an error concerns that record only, unless the sign-in ended."""
    try:
        await work
    except (SetError, MethodError) as error:
        errors[key] = error.body
    except (LoginRefused, Unauthenticated):
        raise
    except MailError as error:
        errors[key] = set_error(error).body
    except Exception as error:
        note_fault(error)
        errors[key] = SetError("serverFail", FAULT).body


def changes_in(patch: Mapping[str, Any], record: Mapping[str, Any]) -> Record:
    """A patch, which may be a whole record (RFC 8620, 5.3), without the properties that are the same as before."""
    return {name: value for name, value in patch.items() if name not in record or not _is_same(record[name], value)}


def _is_same(before: Any, value: Any) -> bool:
    """True is not 1."""
    return type(before) is type(value) and bool(before == value)


def patched(record: Record, patch: Mapping[str, Any]) -> Record:
    """The record with a patch applied (RFC 8620, 5.3). Raises invalidPatch if a pointer leads nowhere, or one is the
    beginning of another."""
    result = dict(record)
    for pointer, value in patch.items():
        steps = [step.replace("~1", "/").replace("~0", "~") for step in pointer.split("/")]
        if any("/".join(pointer.split("/")[:number]) in patch for number in range(1, len(steps))):
            raise SetError("invalidPatch", "One pointer is the beginning of another.")
        _apply(result, steps, value)
    return result


def _apply(result: Record, steps: Sequence[str], value: Any) -> None:
    target: Any = result
    for step in steps[:-1]:
        inner = target.get(step)
        if not isinstance(inner, dict):
            raise SetError("invalidPatch", "A pointer leads nowhere.")
        target[step] = inner = dict(inner)
        target = inner
    if value is None and len(steps) > 1:
        target.pop(steps[-1], None)
    else:
        target[steps[-1]] = value

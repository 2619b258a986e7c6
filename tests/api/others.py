"""Requests made from the contract: each operation, with something of another account in it.

What names nothing of an account is listed, so that a parameter or a member of a body that is new has to be put here.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import combinations
from pathlib import Path
from typing import Any

CONTRACT: dict[str, Any] = json.loads((Path(__file__).parents[2] / "openapi" / "openapi.json").read_text())
METHODS = frozenset({"get", "head", "put", "post", "patch", "delete"})
OF_NOBODY = frozenset(
    {
        "post /v1/sessions",
        "delete /v1/sessions/current",
        "get /v1/servers",
        "get /v1/discovery",
        "get /v1/push",
        "post /v1/oauth/{provider}/device",
        "post /v1/events/tickets",
        "get /v1/events",
        "get /healthz",
        "get /readyz",
    }
)
"""Operations that take nothing of an account but its credentials. The stream of several accounts takes them sealed:
tests/ops/test_shared_events.py."""
REFUSED = frozenset(
    {
        "account",
        "folder",
        "message",
        "cursor",
        "since",
        "folders",
        "folderId",
        "parentId",
        "ticket",
        "thread",
        "toFolderId",
    }
)
"""Parameters that name something of an account. A value of another account is unknown."""
LISTED = frozenset({"id", "ids", "inMailbox", "inMailboxOtherThan"})
"""Each of these is answered for itself, or has nothing in it."""
CONDITIONS = frozenset({"If-None-Match", "If-Match", "If-Range", "Last-Event-ID", "Idempotency-Key"})
"""Parameters that carry a client's state. A value of another account is ignored."""
FOREIGN = REFUSED | LISTED | CONDITIONS
NEUTRAL = frozenset(
    [
        "text",
        "from",
        "to",
        "cc",
        "bcc",
        "subject",
        "body",
        "hasKeyword",
        "notKeyword",
        "before",
        "sentSince",
        "sentBefore",
        "minSize",
        "maxSize",
        "hasAttachment",
        "unread",
        "flagged",
        "limit",
        "sort",
        "fields",
        "include",
        "header",
        "q",
        "flags",
        "receivedAt",
        "html",
        "name",
        "encoded",
        "inline",
        "Range",
        "wait",
        "isSubscribed",
        "rights",
        "action",
        "add",
        "remove",
        "filter",
        "operator",
        "conditions",
        "after",
        "allInThreadHaveKeyword",
        "someInThreadHaveKeyword",
        "noneInThreadHaveKeyword",
        "part",
        "identifier",
        "into",
        "token",
        "username",
        "password",
        "accessToken",
        "refreshToken",
        "code",
        "codeVerifier",
        "redirectUri",
        "deviceCode",
        "server",
        "protocol",
    ]
)
TOKENS = ("/changes", "/events")
"""Operations whose ``since`` is a token. In others it is a date."""
BODIES: Mapping[str, dict[str, Any]] = {
    "SearchRequest": {},
    "Flags": {"flags": ["$seen"]},
    "FlagPatch": {"add": ["$seen"]},
    "NewFolder": {"name": "made twice"},
    "FolderPatch": {"isSubscribed": True},
    "GrantRights": {"rights": "lr"},
    "TargetFolder": {"folderId": "{folder}"},
    "BulkRequest": {"ids": ["{message}"], "action": "copy", "folderId": "{folder}"},
}
MESSAGE = b"From: ann@example.org\r\nSubject: written by both\r\n\r\nwords\r\n"


@dataclass(frozen=True)
class Operation:
    """One of the contract."""

    method: str
    path: str
    parameters: Mapping[str, str]
    """Where each stands: path, query or header."""
    members: frozenset[str]
    """Of the JSON body, at any depth."""
    schema: str | None

    @property
    def name(self) -> str:
        return f"{self.method} {self.path}"

    @property
    def foreign(self) -> list[str]:
        """What in it can be of another account."""
        return sorted(FOREIGN & ({name for name in self.parameters if self._is_token(name)} | self.members - {"since"}))

    def _is_token(self, name: str) -> bool:
        return name != "since" or self.path.endswith(TOKENS)


@dataclass(frozen=True)
class Ask:
    """A request, and the values in it that belong to another account."""

    operation: Operation
    foreign: frozenset[str]
    url: str
    query: Mapping[str, str] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes | None = None

    def __str__(self) -> str:
        return f"{self.operation.name} with {', '.join(sorted(self.foreign)) or 'nothing'} of theirs"


WRITING = (
    "/drafts",
    "/submissions",
    "/reply",
    "/forward",
    "/identities",
    "/settings",
    "/subscriptions",
    "/imports",
    "/fetches",
)
"""Operations that write and send drafts, whose ids change with every request: ``test_sending`` has their sweep. And
settings, whose ETag says what they replace: ``test_account_settings`` has theirs. Subscriptions need a mail server that
reports: ``tests/push`` has theirs. Imports sign in to another account on purpose: ``test_imports`` has theirs.
Fetches need a store: ``tests/fetches`` has theirs."""


def operations() -> Iterator[Operation]:
    """All of the contract but WRITING, in its order."""
    for path, methods in CONTRACT["paths"].items():
        if any(each in path for each in WRITING):
            continue
        for method, one in methods.items():
            if method in METHODS:
                places = {each["name"]: each["in"] for each in one.get("parameters", ())}
                schema = _schema_of(one)
                yield Operation(method, path, places, frozenset(_members(schema)), schema)


def _schema_of(operation: Mapping[str, Any]) -> str | None:
    content = operation.get("requestBody", {}).get("content", {})
    reference = content.get("application/json", {}).get("schema", {}).get("$ref", "")
    return reference.rpartition("/")[2] or None


def _members(schema: str | None) -> set[str]:
    found: set[str] = set()
    pending, seen = [schema] if schema else [], set()
    while pending:
        name = pending.pop()
        properties = CONTRACT["components"]["schemas"][name].get("properties", {})
        found |= properties.keys()
        seen.add(name)
        text = json.dumps(properties)
        pending += [each for each in CONTRACT["components"]["schemas"] if f'/{each}"' in text and each not in seen]
    return found


def choices(operation: Operation) -> Iterator[frozenset[str]]:
    """One thing of theirs, nothing, two, all."""
    yield from map(frozenset, combinations(operation.foreign, 1))
    yield frozenset()
    yield from map(frozenset, combinations(operation.foreign, 2))
    if len(operation.foreign) > 2:
        yield frozenset(operation.foreign)


def ask(operation: Operation, foreign: frozenset[str], mine: Mapping[str, str], theirs: Mapping[str, str]) -> Ask:
    """A request of mine with ``foreign`` taken from theirs."""

    def value(name: str) -> str:
        return theirs[name] if name in foreign else mine[name]

    placed = operation.parameters
    url = operation.path
    for name in [name for name, place in placed.items() if place == "path"]:
        url = url.replace(f"{{{name}}}", value(name))
    query = {name: value(name) for name, place in placed.items() if place == "query" and name in foreign}
    if "id" in placed:
        query["id"] = value("id")
    headers = {name: value(name) for name, place in placed.items() if place == "header" and name in foreign}
    if "Idempotency-Key" in headers:
        headers["Idempotency-Key"] = key_of(headers["Idempotency-Key"], url)
    if "If-Range" in headers:
        headers["Range"] = "bytes=0-3"
    if operation.schema is not None:
        is_again = "Idempotency-Key" in foreign
        body = json.dumps(
            _body(operation.schema, foreign & operation.members, mine, theirs, is_again=is_again)
        ).encode()
        return Ask(operation, foreign, url, query, {**headers, "Content-Type": "application/json"}, body)
    if "messages" in operation.path.rpartition("/")[2] and operation.method == "post":
        return Ask(operation, foreign, url, query, {**headers, "Content-Type": "message/rfc822"}, MESSAGE)
    return Ask(operation, foreign, url, query, headers)


def key_of(key: str, url: str) -> str:
    """Both do the same under the same key: one for each kind of request."""
    return f"{key} {url.rpartition('/')[2]}"


def _body(
    schema: str, foreign: frozenset[str], mine: Mapping[str, str], theirs: Mapping[str, str], *, is_again: bool
) -> dict[str, Any]:
    """``is_again``: the very same that they sent."""
    text = json.dumps(BODIES[schema])
    for name in ("folder", "message"):
        text = text.replace(f"{{{name}}}", mine[name])
    body: dict[str, Any] = json.loads(text)
    if schema == "NewFolder" and not is_again:
        body["name"] = f"made beside {mine['message']}"
    for name in foreign:
        one: str | Sequence[str] = [theirs[name]] if name in {"ids", "folders", "inMailboxOtherThan"} else theirs[name]
        if name.startswith("inMailbox"):
            body.setdefault("filter", {})[name] = one
        else:
            body[name] = one
    return body

"""Method calls of JMAP on a mailbox in memory: whatever the arguments are, the answer is JSON and no fault."""

from typing import Any, cast

from fastapi import Request
from pydantic_core import from_json, to_json

from service.accounts.credentials import Credentials
from service.accounts.states import States
from service.api.events.streams import EventStreams
from service.jmap.account.account import Account
from service.jmap.core.dispatch import Dispatch
from service.jmap.core.errors import FAULT, RequestError
from service.jmap.core.limits import Limits
from service.jmap.core.request import read_request
from service.jmap.core.session import BLOB, CORE, MAIL, QUOTA, SUBMISSION
from service.jmap.host import Host
from service.jmap.methods import METHODS
from service.mail.backend import Backend
from service.mail.errors import NotSupported
from service.mail.model import Capability, Protocol
from service.mail.submission.model import Identity
from service.submission.outbox import Outbox
from tests.jmap.letters import MIXED, plain
from tests.memory import MemoryBackend
from tests.now import now

USING = [CORE, MAIL, SUBMISSION, QUOTA, BLOB]
CREDENTIALS = Credentials("memory", Protocol.IMAP, "user@example.org", "x")
NAMES = sorted(METHODS)


async def _identities(*_: object) -> list[Identity]:
    return [Identity(id="login", email=CREDENTIALS.username)]


async def _count(_: Credentials) -> None:
    """No rate is counted."""


def _sending(request: Request, credentials: Credentials, backend: Backend) -> Outbox:
    raise NotSupported(Capability.SEND)


def _forget(_: str) -> None:
    """None are kept."""


def _unused(*_: object) -> Any:
    raise AssertionError("only HTTP uses this")


def _host() -> Host:
    return Host(
        caller=_unused,
        mailbox=_unused,
        identities=_identities,
        forget_identities=_forget,
        sending=_sending,
        respond=_unused,
        require_live=_unused,
        count=_count,
        states=States([bytes(32)]),
        streams=EventStreams(),
        limits=Limits(1 << 20, 1 << 20),
    )


def jmap(octets: bytes) -> None:
    """The octets are a request object; or the first chooses a method, and the rest is its arguments."""
    body = octets
    if octets[:1] != b"{":
        try:
            arguments = from_json(octets[1:])
        except ValueError:
            return
        if not isinstance(arguments, dict):
            return
        call = [NAMES[octets[0] % len(NAMES)], {"accountId": "a", **arguments}, "0"]
        body = to_json({"using": USING, "methodCalls": [call, call]})
    backend = MemoryBackend()
    backend.account = "a"
    messages = [backend.deliver(source, ("$seen",), None) for source in (MIXED, plain("one"))]
    try:
        request = read_request(_with_ids(body, backend, messages), USING)
    except RequestError as error:
        to_json(error.body)
        return
    account = Account(_host(), cast("Request", None), CREDENTIALS, backend, request.created or {})
    responses = now(Dispatch(METHODS, account).run(request))
    assert FAULT.encode() not in to_json(responses), responses  # of a call, or of one record


def _with_ids(body: bytes, backend: MemoryBackend, messages: list[str]) -> bytes:
    """With ids in place of the words that stand for them."""
    emails, boxes = now(backend.get_email_ids(messages)), now(backend.get_folder_ids())
    for number, message in enumerate(messages):
        body = body.replace(b"@email%d" % number, emails[message].encode())
    for number, box in enumerate(boxes.values()):
        body = body.replace(b"@box%d" % number, box.encode())
    return body


def _seed(name: str, arguments: bytes) -> bytes:
    return bytes([NAMES.index(name)]) + arguments


SEEDS = [
    b'{"using":["urn:ietf:params:jmap:core"],"methodCalls":[["Core/echo",{"a":[1]},"0"],["Core/echo",{"#b":{"resultOf":"0","name":"Core/echo","path":"/a/0"}},"1"]],"createdIds":{}}',
    _seed("Email/query", b'{"filter":{"operator":"AND","conditions":[{"text":"a"},{"someInThreadHaveKeyword":"$seen"}]},"sort":[{"property":"receivedAt"}],"collapseThreads":true,"position":-1}'),
    _seed("Email/set", b'{"create":{"a":{"mailboxIds":{"@box0":true},"header:X-A:asText":"b","bodyStructure":{"partId":"1"},"bodyValues":{"1":{"value":"c"}}}},"update":{"@email0":{"keywords/$seen":null,"mailboxIds/@box1":true}},"destroy":["@email1"]}'),
    _seed("Email/get", b'{"ids":["@email0"],"properties":["header:From:asGroupedAddresses:all","bodyStructure","bodyValues"],"fetchAllBodyValues":true}'),
    _seed("Mailbox/set", b'{"create":{"a":{"name":"b","parentId":"#c"},"c":{"name":"d"}},"update":{"@box1":{"name":"g"}},"destroy":["@box0"]}'),
    _seed("Mailbox/query", b'{"filter":{"operator":"NOT","conditions":[{"hasAnyRole":true}]},"sort":[{"property":"name"}],"sortAsTree":true}'),
    _seed("Blob/upload", b'{"create":{"a":{"data":[{"data:asText":"b"},{"blobId":"b-@email1","offset":1}]}}}'),
    _seed("Email/parse", b'{"blobIds":["b-@email0","p-2-@email0","n-1-b-@email1"],"properties":["subject","bodyStructure"]}'),
    _seed("EmailSubmission/set", b'{"create":{"a":{"identityId":"login","emailId":"@email0","envelope":{"mailFrom":{"email":"a@b"},"rcptTo":[{"email":"c@d"}]}}},"onSuccessDestroyEmail":["#a"]}'),
]  # fmt: skip

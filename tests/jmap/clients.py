"""JMAP as a client speaks it."""

from dataclasses import dataclass, field
from typing import Any

import httpx

CORE = "urn:ietf:params:jmap:core"
USING = [CORE, *(f"urn:ietf:params:jmap:{name}" for name in ("mail", "submission", "quota", "blob"))]
Answer = dict[str, Any]


@dataclass
class Jmap:
    """One signed-in account; ``http`` also reaches the REST API."""

    http: httpx.AsyncClient
    session: Answer = field(default_factory=dict)

    async def begin(self) -> "Jmap":
        answer = await self.http.get("/.well-known/jmap", follow_redirects=True)
        assert answer.status_code == 200, answer.text
        self.session = answer.json()
        return self

    @property
    def account(self) -> str:
        [account] = self.session["accounts"]
        return str(account)

    async def post(self, *calls: list[Any], **more: Any) -> Answer:
        """The whole response object."""
        answer = await self.http.post("/jmap", json={"using": USING, "methodCalls": calls, **more})
        assert answer.status_code == 200, answer.text
        body: Answer = answer.json()
        return body

    async def run(self, *calls: tuple[str, Answer]) -> list[tuple[str, Answer]]:
        """The responses of several calls, each with the number of its call as id."""
        made = [[name, {"accountId": self.account, **arguments}, str(at)] for at, (name, arguments) in enumerate(calls)]
        return [(name, answer) for name, answer, _ in (await self.post(*made))["methodResponses"]]

    async def call(self, name: str, **arguments: Any) -> Answer:
        """The response of one call, which is no error."""
        [(answered, answer)] = await self.run((name, arguments))
        assert answered == name, answer
        return answer

    async def error(self, name: str, **arguments: Any) -> str:
        """The type of the error of one call."""
        [(answered, answer)] = await self.run((name, arguments))
        assert answered == "error", answer
        return str(answer["type"])

    async def mailboxes(self) -> dict[str, Answer]:
        """By name."""
        return {each["name"]: each for each in (await self.call("Mailbox/get", ids=None))["list"]}

    async def inbox(self) -> str:
        return str(next(each["id"] for each in (await self.mailboxes()).values() if each["role"] == "inbox"))

    async def create_mailbox(self, name: str, **more: Any) -> str:
        answer = await self.call("Mailbox/set", create={"new": {"name": name, **more}})
        return str(answer["created"]["new"]["id"])

    async def upload(self, octets: bytes, kind: str = "application/octet-stream") -> str:
        url = self.session["uploadUrl"].replace("{accountId}", self.account)
        answer = await self.http.post(url, content=octets, headers={"Content-Type": kind})
        assert answer.status_code == 201, answer.text
        assert answer.json()["size"] == len(octets)
        return str(answer.json()["blobId"])

    async def download(
        self, blob: str, kind: str = "text/plain", name: str = "a.txt", **headers: str
    ) -> httpx.Response:
        url = self.session["downloadUrl"]
        for key, value in {"accountId": self.account, "blobId": blob, "name": name, "type": kind}.items():
            url = url.replace(f"{{{key}}}", value)
        return await self.http.get(url, headers=headers)

    async def imported(self, source: bytes, *mailboxes: str, **more: Any) -> str:
        blob = await self.upload(source, "message/rfc822")
        record = {"blobId": blob, "mailboxIds": dict.fromkeys(mailboxes, True), **more}
        answer = await self.call("Email/import", emails={"new": record})
        assert answer["notCreated"] is None, answer
        return str(answer["created"]["new"]["id"])

    async def email(self, email: str, *properties: str, **more: Any) -> Answer:
        """One Email."""
        answer = await self.call("Email/get", ids=[email], properties=list(properties) or None, **more)
        [record] = answer["list"]
        return dict(record)

    async def query(self, **arguments: Any) -> list[str]:
        return list((await self.call("Email/query", **arguments))["ids"])

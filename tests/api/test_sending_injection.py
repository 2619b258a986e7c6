"""Text in any field of a request, and the octets that leave."""

import re
from base64 import b64encode
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.api.test_sending_phases import Sent, opened
from tests.mail.mime.compose.assembled import INJECTED
from tests.servers.dovecot import Dovecot
from tests.servers.smtp import Smtp

pytestmark = pytest.mark.dovecot
HIDDEN, EVIL = "hidden@example.net", "x@example.org"
FIELDS = (
    "subject", "to name", "to email", "cc name", "cc email", "bcc name", "from name", "from email", "reply-to name", "reply-to email",
    "header name", "header value", "text", "html", "type", "file name", "cid", "key", "uploaded name", "uploaded cid", "uploaded type",
    "raw subject", "raw sender", "raw recipient", "patched subject",
)  # fmt: skip
OURS = {
    "date", "from", "message-id", "mime-version", "content-type", "to", "cc", "reply-to", "subject", "content-transfer-encoding",
}  # fmt: skip
few = settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)


class Asked:
    """Requests that send a message with the text in one field."""

    def __init__(self, client: httpx.AsyncClient, field: str, evil: str) -> None:
        self._client, self._field, self._evil = client, field, evil

    def _at(self, name: str, ordinary: str) -> str:
        return self._evil if self._field == name else ordinary

    def _address(self, name: str, email: str) -> dict[str, str]:
        return {"name": self._at(f"{name} name", "A"), "email": self._at(f"{name} email", email)}

    async def send(self) -> httpx.Response:
        """The last answer: that of sending, or of the first request that was refused."""
        if self._field.startswith("raw"):
            return await self._raw()
        if self._field.startswith(("uploaded", "patched")):
            return await self._draft()
        return await self._client.post("/submissions", json=self._body(), headers=self._key())

    def _key(self) -> dict[str, str]:
        return {"Idempotency-Key": self._evil} if self._field == "key" else {}

    def _body(self) -> dict[str, Any]:
        file = {
            "content": b64encode(b"x").decode(),
            "type": self._at("type", "text/plain"),
            "name": self._at("file name", "a.txt"),
            "cid": self._at("cid", "c"),
        }
        return {
            "from": self._address("from", "ann@example.org"),
            "to": [self._address("to", "bob@example.net")],
            "cc": [self._address("cc", "cy@example.net")],
            "bcc": [{"name": self._at("bcc name", "H"), "email": HIDDEN}],
            "replyTo": [self._address("reply-to", "dan@example.net")],
            "subject": self._at("subject", "s"),
            "text": self._at("text", "t"),
            "html": self._at("html", "<p>h</p>"),
            "headers": [{"name": self._at("header name", "X-Note"), "value": self._at("header value", "v")}],
            "attachments": [file],
        }

    async def _raw(self) -> httpx.Response:
        octets = (
            f"From: ann@example.org\r\nTo: bob@example.net\r\nbCC: {HIDDEN},\r\n {HIDDEN}\r\n"
            f"Subject: {self._at('raw subject', 's')}\r\nResent-Bcc: {HIDDEN}\r\n\r\ntext\r\n"
        )
        query = {
            "from": self._at("raw sender", "ann@example.org"),
            "to": [self._at("raw recipient", "bob@example.net"), HIDDEN],
        }
        return await self._client.post(
            "/submissions",
            params=query,
            content=octets.encode(),
            headers={"Content-Type": "message/rfc822"},
        )

    async def _draft(self) -> httpx.Response:
        answer = await self._client.post("/drafts", json=self._body())
        query = {"name": self._at("uploaded name", "b.txt"), "cid": self._at("uploaded cid", "d")}
        if answer.is_success:
            answer = await self._client.post(
                f"/drafts/{answer.json()['id']}/attachments",
                params=query,
                content=b"y",
                headers={"Content-Type": self._at("uploaded type", "text/plain")},
            )
        if answer.is_success:
            patch = {"subject": self._at("patched subject", "p")}
            answer = await self._client.patch(f"/drafts/{answer.json()['id']}", json=patch)
        if answer.is_success:
            answer = await self._client.post(f"/drafts/{answer.json()['id']}/send")
        return answer


class Line:
    """What left, by a server that answers everything."""

    def __init__(self, sent: Sent, smtp: Smtp, commands: list[bytes]) -> None:
        self.client, self.smtp, self.commands = sent.client, smtp, commands


@pytest.fixture
async def line(dovecot: Dovecot) -> AsyncIterator[Line]:
    commands: list[bytes] = []

    def noted(command: bytes) -> bytes:
        commands.append(command)
        return b"250 2.1.0 ok\r\n"

    smtp = Smtp(answers={"RCPT": noted, "MAIL": noted})
    async with opened(dovecot, smtp) as sent:
        yield Line(sent, smtp, commands)


@few
@given(field=st.sampled_from(FIELDS), evil=INJECTED | st.just(f"a\r\nBcc: {EVIL}\r\n\r\nb"))
async def test_no_text_in_any_field_adds_a_header_a_recipient_or_a_message(line: Line, field: str, evil: str) -> None:
    """R-SEND-22: what cannot be written is refused, and nothing is sent. No Bcc is ever in the octets."""
    line.smtp.messages.clear()
    line.commands.clear()
    try:
        asked = await Asked(line.client, field, evil).send()
    except (httpx.HTTPError, httpx.InvalidURL, UnicodeEncodeError):  # the client cannot say it
        return
    if not asked.is_success:
        assert asked.status_code in {400, 415, 422, 501}, asked.text
        assert line.smtp.messages == []
        return
    [octets] = line.smtp.messages
    assert_harmless(octets, is_raw=field.startswith("raw"))
    mail, *recipients = line.commands
    assert mail.startswith(b"MAIL FROM:<")
    accepted = asked.json()["accepted"]
    assert [each.partition(b">")[0] for each in recipients] == [f"RCPT TO:<{each}".encode() for each in accepted]
    assert HIDDEN in accepted
    assert EVIL not in accepted


@pytest.mark.parametrize("field", FIELDS)
async def test_an_ordinary_text_in_each_field_is_sent(line: Line, field: str) -> None:
    """R-SEND-22: so that the test above has something to look at."""
    ordinary = {"type": "text/html", "uploaded type": "text/html", "header name": "X-Other"}.get(field, "o@example.net")
    asked = await Asked(line.client, field, ordinary).send()
    assert asked.is_success, asked.text
    [octets] = line.smtp.messages
    assert_harmless(octets, is_raw=field.startswith("raw"))


def assert_harmless(octets: bytes, *, is_raw: bool) -> None:
    """Line ends are CRLF only, so every server sees the same fields; each is there once, and none is Bcc."""
    assert not re.search(rb"\r(?!\n)|(?<!\r)\n", octets)
    head = octets.partition(b"\r\n\r\n")[0]
    names = [line.partition(b":")[0].decode().lower() for line in head.split(b"\r\n") if line[:1] not in b" \t"]
    assert not [name for name in names if "bcc" in name]
    # Of a raw message, the client says if a line belongs to the header or to the text.
    assert HIDDEN.encode() not in (head if is_raw else octets)
    if not is_raw:  # there the client writes the header itself
        assert len(names) == len(set(names))
        assert len(set(names) - OURS) <= 1

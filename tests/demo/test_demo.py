"""The demo as a newcomer starts it, and the curl lines that it prints."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from service.demo import DEMO_PASSWORD, DEMO_USER
from service.demo.forms import LARGE
from service.demo.messages import TEN_MEGABYTES, demo_messages
from service.mail.mime.message import read_message
from tests.servers.events import Stream

ROOT = Path(__file__).parents[2]
START_SECONDS = 90


class Demo:
    """`casella demo` in a process of its own. ``lines`` is its output until it was ready."""

    def __init__(self, *options: str) -> None:
        command = [sys.executable, "-m", "service", "demo", "--port", "0", *options]
        self.process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        self.lines: list[str] = []
        deadline = time.monotonic() + START_SECONDS
        assert self.process.stdout is not None
        while sum("curl" in line for line in self.lines) < 5:
            line = self.process.stdout.readline()
            assert line, "".join(self.lines)
            assert time.monotonic() < deadline
            self.lines.append(line)

    @property
    def url(self) -> str:
        url = re.search(r"http://127\.0\.0\.1:\d+", "".join(self.lines))
        assert url
        return url[0]

    def end(self) -> tuple[int, str]:
        """Interrupts it as Ctrl-C does; returns the exit code and the rest of the output."""
        self.process.send_signal(signal.SIGINT)
        rest, _ = self.process.communicate(timeout=30)
        return self.process.returncode, rest


@pytest.fixture(scope="module")
def demo() -> Iterator[Demo]:
    running = Demo()
    yield running
    if running.process.poll() is None:
        running.end()


def shell(script: str) -> str:
    return subprocess.run(
        ["bash", "-euo", "pipefail", "-c", script], check=True, capture_output=True, text=True, timeout=60
    ).stdout


def test_the_demo_answers_the_lines_it_prints(demo: Demo) -> None:
    for line in demo.lines:
        if "curl" in line:
            answer = json.loads(shell(line.strip()))
            assert "type" not in answer, answer
            assert answer.get("items", True)


def test_the_large_attachment_comes_whole_by_imap_and_by_pop3(demo: Demo) -> None:
    for protocol in ("imap", "pop3"):
        get = f"curl -sf -u demo@example.org:demo -H 'Casella-Protocol: {protocol}' {demo.url}/v1/accounts/me"
        items = json.loads(shell(f"{get}/folders/inbox/messages?limit=9"))["items"]
        largest = max(items, key=lambda item: item["size"])["id"]
        [attachment] = json.loads(shell(f"{get}/messages/{largest}"))["attachments"]
        size = shell(f"{get}/messages/{largest}/parts/{attachment['id']} | wc -c")
        assert int(size) == LARGE


@pytest.fixture(scope="module")
def client(demo: Demo) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=f"{demo.url}/v1/accounts/me", auth=(DEMO_USER, DEMO_PASSWORD), timeout=60) as client:
        yield client


def test_every_role_of_a_folder_is_there(client: httpx.Client) -> None:
    """An app's sidebar has something in each of its places."""
    folders = client.get("/folders").json()["items"]
    filled = {folder.get("role") for folder in folders if folder.get("totalMessages")}
    assert filled >= {"inbox", "sent", "drafts", "archive", "trash", "junk"}
    assert any(len(folder["path"]) > 1 for folder in folders)


def test_the_first_page_shows_what_mail_can_be(client: httpx.Client) -> None:
    """Names of attachments as they were written, a newsletter with remote images, an invitation, Arabic and Japanese."""
    page = client.get("/folders/inbox/messages", params={"limit": 12}).json()["items"]
    rows = [row for row in page if row["messageId"].endswith(".demo@example.net")]  # not what another test has sent
    subjects = " ".join(row["subject"] for row in rows)
    assert re.search(r"[\u0600-\u06ff]{3}", subjects)
    assert re.search(r"[\u3040-\u30ff]", subjects)
    opened = [client.get(f"/messages/{row['id']}").json() for row in rows if row["subject"] != TEN_MEGABYTES]
    assert any(message["body"].get("remoteContent") for message in opened)
    assert any(message["body"].get("html") and "?inline=true" in message["body"]["html"] for message in opened)
    attachments = [part for message in opened for part in message["attachments"]]
    assert "text/calendar" in {part["type"] for part in attachments}
    written = [
        read_message(message.source, id="m", folder_id="f", size=0)
        for message in demo_messages()
        if len(message.source) < 100_000
    ]
    names = {message.message_id: [part.name for part in message.attachments] for message in written}
    assert all([part.get("name") for part in each["attachments"]] == names[each["messageId"]] for each in opened)
    assert {"invite.ics", "Überblick 294.pdf"} < {part.get("name") for part in attachments}


def test_a_conversation_has_ten_messages(client: httpx.Client) -> None:
    rows = client.get("/folders/inbox/messages", params={"limit": 50, "fields": "threadId,subject"}).json()["items"]
    threads = Counter(row["threadId"] for row in rows)
    [(longest, size)] = threads.most_common(1)
    assert size == 10
    assert len({row["subject"].removeprefix("Re: ") for row in rows if row["threadId"] == longest}) == 1


def test_a_list_that_has_not_changed_is_304(client: httpx.Client) -> None:
    path = "/folders/inbox/messages?limit=3"
    etag = client.get(path).headers["etag"]
    assert client.get(path, headers={"If-None-Match": etag}).status_code == 304


async def test_mail_arrives_while_somebody_listens() -> None:
    """With --live."""
    running = Demo("--live", "--live-seconds", "0.5")
    try:
        auth = (DEMO_USER, DEMO_PASSWORD)
        async with (
            httpx.AsyncClient(base_url=f"{running.url}/v1/accounts/me", auth=auth, timeout=30) as client,
            client.stream("GET", "/events") as answer,
        ):
            stream = Stream(answer.aiter_lines())
            created = [(await stream.next("change")).data["created"][0] for _ in range(2)]
            rows = [(await client.get(f"/messages/{message}")).json() for message in created]
        numbers = [int(row["messageId"].partition(".")[0]) for row in rows]
        assert numbers[1] > numbers[0] >= 300
        assert not any(row["flags"] for row in rows)
    finally:
        code, _ = running.end()
    assert code == 0


def test_ctrl_c_ends_it_cleanly() -> None:
    code, rest = Demo().end()
    assert code == 0
    assert "Traceback" not in rest
    assert "ended" in rest


def test_the_mail_is_the_same_every_time_and_of_every_kind() -> None:
    first, again = (list(demo_messages(60)) for _ in range(2))
    assert first == again
    read = [
        read_message(message.source, id="m", folder_id="f", size=len(message.source))
        for message in first
        if len(message.source) < 100_000
    ]
    types = {part.type for message in read for part in message.attachments}
    assert types >= {"application/pdf", "image/png", "text/calendar", "message/rfc822", "text/csv"}
    assert {message.folder for message in first} >= {"INBOX", "Sent", "Projekte/Übersicht"}
    assert any(message.body.remote_content for message in read)
    assert all(b"\n" not in message.source.replace(b"\r\n", b"") for message in first)
    assert not any(message.body.warnings for message in read)


def test_the_command_line_says_what_is_wrong(tmp_path: Path) -> None:
    bad = tmp_path / "bad.toml"
    bad.write_text('default_server = "nowhere"\nsecret_keys = "canary"\n[servers.x]\n')
    clean = {name: value for name, value in os.environ.items() if not name.startswith("CASELLA_")}

    def casella(*arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "service", *arguments],
            check=False,
            cwd=ROOT,
            capture_output=True,
            text=True,
            env=clean,
            timeout=60,
        )

    wrong = casella("serve", "--config", str(bad))
    assert wrong.returncode == 2
    assert "servers.x" in wrong.stderr
    assert "canary" not in wrong.stderr + wrong.stdout
    assert casella("serve", "--config", str(tmp_path / "none.toml")).returncode == 2
    assert "No mail server" in casella("serve").stderr
    assert casella("--version").stdout.strip() == __import__("service").__version__
    assert json.loads(casella("openapi").stdout)["openapi"].startswith("3.")

"""Every block of code in README and docs/ is executed or parsed; every link leads to a file and a heading."""

import json
import re
import shlex
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
import typer
from click import Command

from service.cli.main import app
from service.settings.model import KEY_OCTETS, Settings, read_settings
from tests.demo.test_demo import Demo, shell
from tests.markdown import ROOT, WRITTEN, Block, anchors, blocks, links, of, read

URL = "http://127.0.0.1:8000"
PAGES_WITH_CURL = tuple(page for page in WRITTEN if any("curl" in block for block in of(page, "sh")))
BLOCKS = [block for page in WRITTEN for block in blocks(page)]
COMMANDS = [
    (block.page, line)
    for block in BLOCKS
    if block.language == "sh" and "curl" not in block.text and not block.text.startswith("export ")
    for line in block.text.splitlines()
]
EXECUTED_ELSEWHERE = {
    *(("docs/sdks.md", language) for language in ("ts", "python", "dart", "kotlin", "java", "swift")),
    ("docs/stay-in-step.md", "js"),
    ("docs/notifications.md", "js"),
    ("docs/signing-in.md", "python"),
    ("docs/operator.md", "console"),
}
"""Executed by tests/sdks, tests/push/test_browser.py, tests/ops/test_phone.py, tests/oauth/test_guide.py and tests/deploy/test_compose.py; Dart is parsed."""
ADDRESSES = {"docs/try"}
"""Of the service, and no files."""
KNOWN = ("doveadm pw", "make ", "casella ", "python3 -c ")


@pytest.fixture(scope="module")
def demo() -> Iterator[Demo]:
    running = Demo()
    yield running
    running.end()


def output(words: list[str], program: str, folder: Path) -> str:
    return subprocess.run(
        words, input=program, cwd=folder, capture_output=True, text=True, check=True, timeout=60
    ).stdout


@pytest.mark.parametrize("page", PAGES_WITH_CURL)
def test_a_page_s_shell_lines_work_one_after_the_other(page: str, demo: Demo, tmp_path: Path) -> None:
    script = "\n".join(block for block in of(page, "sh") if "curl" in block or block.startswith("export "))
    script = script.replace(URL, demo.url).replace("curl -s", "curl -sf")
    if page == "docs/errors.md":  # its one request fails on purpose
        script = script.replace("curl -sf", "curl -s")
    # A stream ends when curl has waited long enough.
    script = re.sub(r'(/events(\?ticket=\$TICKET)?")', r"\1 || [ $? = 28 ]", script)
    out = shell(f"cd {tmp_path}\n{script}")
    if page in CHECKS:
        CHECKS[page](out, tmp_path)


def readme(out: str, _: Path) -> None:
    assert '"capabilities":' in out
    assert re.search(r'"flags":\[[^\]]*"\$flagged"', out)


def list_and_read(_: str, folder: Path) -> None:
    page, after = (json.loads((folder / name).read_text()) for name in ("page.json", "next.json"))
    assert not {row["id"] for row in page["items"]} & {row["id"] for row in after["items"]}
    assert json.loads((folder / "message.json").read_text())["body"]
    assert (folder / "first.bin").stat().st_size == 100
    assert (folder / "rest.bin").exists()


def conversations(out: str, folder: Path) -> None:
    """The list is grouped, and the search finds the message and the reply to it."""
    listed = json.loads((folder / "page.json").read_text())["items"]
    assert len(re.findall(r"^t_\S+ \[", out, re.MULTILINE)) == len({row["threadId"] for row in listed})
    reply = json.loads((folder / "reply.json").read_text())
    found = json.loads((folder / "conversation.json").read_text())["items"]
    assert len(found) >= 2
    assert reply["messageId"] in {row["messageId"] for row in found}


def stay_in_step(out: str, _: Path) -> None:
    assert '"token":' in out


def notifications(out: str, _: Path) -> None:
    own, common = re.findall(r"event: ping\ndata: (.*)", out)
    assert "accountId" not in own
    assert "accountId" in common


def going_live(out: str, _: Path) -> None:
    assert ['"status":"alive"' in out, '"status":"ready"' in out, '"capabilities":' in out] == [True] * 3


def write(out: str, _: Path) -> None:
    """A repeated request is executed once: the id is the same."""
    ids = re.findall(r'^\{"id":"(m_[\w-]+)"', out.replace("}{", "}\n{"), re.MULTILINE)
    assert len(ids) == 4
    assert ids[0] == ids[1] != ids[2] == ids[3]
    assert re.search(r'"flags":\[[^\]]*"\$seen"', out)


def send(out: str, _: Path) -> None:
    """The message is in Sent, and has come into the inbox."""
    submission, sent, received = (json.loads(line) for line in out.replace("}{", "}\n{").splitlines())
    assert submission["accepted"] == ["demo@example.org"]
    assert [row["id"] for row in sent["items"]] == [submission["sent"]]
    assert [row["messageId"] for row in received["items"]] == [submission["messageId"]]


def bring_mail(out: str, folder: Path) -> None:
    """All mail of the maildrop is in the archive once, and the third import adds nothing."""
    dry, _ = json.JSONDecoder().raw_decode(out)
    first, last, again = (json.loads((folder / f"{name}.json").read_text()) for name in ("first", "last", "again"))
    assert (dry["copied"], dry["isDone"]) == (0, True)
    assert (last["isDone"], last["copied"], last["failed"]) == (True, dry["left"], [])
    assert first["copied"] > 100
    assert (again["copied"], again["skipped"]) == (0, dry["left"] + dry["skipped"])
    assert "event: done" in out


def signing_in(out: str, _: Path) -> None:
    """The candidates are those that the page shows, and the session is the account's."""
    found, account = (json.loads(line) for line in out.replace("}{", "}\n{").splitlines())
    [shown] = of("docs/signing-in.md", "json")
    assert found == json.loads(shown)
    assert account["username"] == "demo@example.org"


def errors(out: str, _: Path) -> None:
    """The problem is the one that the page shows, except for its request id."""
    [shown] = of("docs/errors.md", "json")
    answered, expected = json.loads(out), json.loads(shown)
    assert answered.pop("requestId") != expected.pop("requestId")
    assert answered == expected


def jmap(out: str, folder: Path) -> None:
    session = json.loads((folder / "session.json").read_text())
    answer = json.loads(out)
    assert answer["sessionState"] == session["state"]
    (_, query, _), (_, get, _) = answer["methodResponses"]
    assert len(query["ids"]) == 3
    assert [each["id"] for each in get["list"]] == query["ids"]


CHECKS = {
    "docs/jmap.md": jmap,
    "README.md": readme,
    "docs/signing-in.md": signing_in,
    "docs/list-and-read.md": list_and_read,
    "docs/conversations.md": conversations,
    "docs/write.md": write,
    "docs/send.md": send,
    "docs/import.md": bring_mail,
    "docs/stay-in-step.md": stay_in_step,
    "docs/notifications.md": notifications,
    "docs/errors.md": errors,
    "docs/going-live.md": going_live,
}


def test_the_first_answers_are_shown_as_they_are() -> None:
    """Those of README and quick start: but for what a new demo makes anew, and what README leaves out."""
    [account] = of("docs/quick-start.md", "json")
    request, _, answer = of("README.md", "")[0].partition("200 OK\n")
    shown = json.loads(re.sub(r",\s*…", "", answer))
    fresh = Demo()
    try:
        with httpx.Client(base_url=fresh.url, auth=("demo@example.org", "demo")) as client:
            assert client.get("/v1/accounts/me").json() == json.loads(account)
            page = client.get(request.split()[1]).json()
    finally:
        fresh.end()
    [row], [found] = shown.pop("items"), page["items"]
    assert {name: found[name] for name in row} | {"id": row["id"]} == row
    assert shown["total"] == page["total"]
    assert shown.keys() <= page.keys()


def test_what_a_page_names_in_this_repository_is_there() -> None:
    """But for what commands make."""
    for page in WRITTEN:
        named = re.findall(
            r"(?<![\w/])(?:tests|service|docs|helm|web)/[\w./-]*\w", " ".join(re.findall("`([^`]+)`", read(page)))
        )
        assert [each for each in named if not (ROOT / each).exists() and each not in ADDRESSES] == [], page


def test_the_first_programs_work(demo: Demo, tmp_path: Path) -> None:
    """Those of the page "Quick start", in Python and in JavaScript, print the same rows."""
    [python] = of("docs/quick-start.md", "python")
    [javascript] = of("docs/quick-start.md", "js")
    node = shutil.which("node")
    assert node, "This test needs Node: apt-get install nodejs"
    from_python = output([sys.executable, "-"], python.replace(URL, demo.url), tmp_path)
    from_javascript = output([node, "--input-type=module", "-"], javascript.replace(URL, demo.url), tmp_path)
    assert len(from_python.splitlines()) > 4
    assert from_python.split() == from_javascript.split()


@pytest.mark.parametrize("page", PAGES_WITH_CURL)
def test_commands_can_be_pasted_into_any_shell(page: str) -> None:
    """zsh takes a bare question mark for a pattern, and a comment behind a command for its arguments."""
    for line in "".join(block for block in of(page, "sh") if "curl" in block).splitlines():
        bare = re.sub(r'"(?:\\.|\$\([^)]*\)|[^"\\])*"|\'[^\']*\'', "", line)
        assert line.startswith("#") or not re.search(r"\?|\s#", bare), line


def test_no_block_of_code_is_untested() -> None:
    """A block in a language that no test executes or parses fails."""
    tried = {("docs/quick-start.md", "python"), ("docs/quick-start.md", "js")}
    sketches = {("docs/contributing.md", "python")}
    programs = {(block.page, block.language) for block in BLOCKS} - EXECUTED_ELSEWHERE - tried - sketches
    assert {language for _, language in programs} <= {"sh", "json", "toml", ""}


@pytest.mark.parametrize("block", [block for block in BLOCKS if block.language in {"json", "toml"}])
def test_an_example_can_be_parsed(block: Block) -> None:
    assert (json.loads if block.language == "json" else tomllib.loads)(block.text)


@pytest.mark.parametrize(("page", "line"), COMMANDS)
def test_a_command_exists(page: str, line: str) -> None:
    words = shlex.split(line, comments=True)
    while re.match(r"[A-Z_]+=", words[0]):
        del words[0]
    assert " ".join(words).startswith(KNOWN), page
    if words[0] == "make":
        assert f"\n{words[1]}:" in (ROOT / "Makefile").read_text()
    if words[0] == "casella":
        group = typer.main.get_command(app)
        command: Command = group.commands[words[1]]  # type: ignore[attr-defined]
        command.make_context(words[1], words[2:])


@pytest.mark.parametrize("page", ["README.md", "docs/settings.md", "docs/operator.md"])
def test_a_page_s_settings_are_settings(page: str, tmp_path: Path) -> None:
    first, *others = of(page, "toml")
    file = tmp_path / "casella.toml"
    file.write_text(first)
    assert read_settings(file).default_server == "home"
    for example in others:
        file.write_text(example)
        assert read_settings(file).model_fields_set


def test_the_line_that_makes_a_key_works() -> None:
    [line] = [text for text in of("docs/settings.md", "sh") if text.startswith("python3 ")]
    output = subprocess.run([sys.executable, *shlex.split(line)[1:]], capture_output=True, text=True, check=True)
    [key] = Settings(servers={}, secret_keys=output.stdout.strip()).secret_keys
    assert len(key.get_secret_value()) == KEY_OCTETS


@pytest.mark.parametrize("page", [*WRITTEN, "SECURITY.md", "helm/README.md"])
def test_every_link_leads_to_a_file_and_its_heading(page: str) -> None:
    for link in links(page):
        target, _, fragment = link.partition("#")
        file = (ROOT / page).parent / target if target else ROOT / page
        assert file.exists(), link
        assert not fragment or fragment in anchors(file), link


def test_every_guide_is_in_the_index() -> None:
    listed = {f"docs/{link}" for link in links("docs/README.md")}
    assert {page for page in WRITTEN if page.startswith("docs/")} - listed == {"docs/README.md"}


def test_the_readme_is_short() -> None:
    assert len(read("README.md").splitlines()) <= 200


@pytest.mark.parametrize("page", WRITTEN)
def test_targets_of_make_that_are_named_exist(page: str) -> None:
    makefile = (ROOT / "Makefile").read_text()
    assert all(f"\n{target}:" in makefile for target in re.findall(r"`make (\w+)[^`]*`", read(page)))

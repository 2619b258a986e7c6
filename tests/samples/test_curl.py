"""The samples of the contract: every operation has them, and those in curl work as they are, each on a mailbox of its own."""

import json
import os
import re
import subprocess
from asyncio import to_thread
from pathlib import Path

import pytest

from tests.samples.stage import missing, operations, sample, sending_service, stage_for, write_files
from tests.servers.submission import SendingDovecot

LABELS = ["curl", "TypeScript", "Python", "Kotlin", "Swift"]
IN_NO_SDK = {"watchAccounts"}
"""What `EventSource` of browsers is for."""
WITHOUT_ISSUER = {"createDeviceCode"}
"""These need a provider of tokens: tests/oauth runs them."""


def test_every_operation_has_a_title_of_its_own_and_a_sample_in_each_language() -> None:
    everything = operations()
    titles = [one["summary"] for one in everything.values()]
    assert len(set(titles)) == len(titles)
    for name, one in everything.items():
        assert re.fullmatch(r"[A-Z][a-z]*( [a-z]+)*", one["summary"]), name
        assert [each["label"] for each in one["x-codeSamples"]] == (["curl"] if name in IN_NO_SDK else LABELS)


def test_what_samples_are_made_of_is_there() -> None:
    """An example of each required parameter, and of each body of JSON."""
    missing = [
        f"{name}: {each['name']}"
        for name, one in operations().items()
        for each in one.get("parameters", [])
        if each.get("required") and "example" not in each
    ]
    bodies = {name: one.get("requestBody", {}).get("content", {}) for name, one in operations().items()}
    assert (
        missing
        + [name for name, body in bodies.items() if "example" not in body.get("application/json", {"example": ""})]
        == []
    )


def curl(source: str, token: str, folder: Path) -> str:
    """What the command prints. A stream ends when curl has waited long enough."""
    command = source.replace("curl ", "curl -sS --fail-with-body ", 1)
    if command.endswith("-N"):
        command = f"{command} --max-time 1 || [ $? = 28 ]"
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", command],
        check=False,
        capture_output=True,
        text=True,
        timeout=60,
        cwd=folder,
        env=os.environ | {"TOKEN": token},
    )
    assert done.returncode == 0, f"{source}\n{done.stdout}{done.stderr}"
    return done.stdout


@pytest.mark.dovecot
async def test_the_samples_in_curl_work(complete_dovecot: SendingDovecot, tmp_path: Path) -> None:
    """All of them: nothing that one does is needed by the next."""
    write_files(tmp_path)
    async with sending_service(complete_dovecot, tmp_path) as replica:
        for name, operation in operations().items():
            if name in WITHOUT_ISSUER:
                continue
            stage = await stage_for(name, replica.url, complete_dovecot)
            told = await to_thread(curl, stage.set(sample(operation, "curl")), stage.token, tmp_path)
            if operation["x-codeSamples"][0]["source"].endswith("-N"):
                assert "event: ping" in told
            elif "-o download.bin" in sample(operation, "curl"):
                assert (tmp_path / "download.bin").stat().st_size > 0
                (tmp_path / "download.bin").unlink()
            elif told:
                assert list(missing(operation, json.loads(told))) == [], name
            else:
                assert "204" in operation["responses"], name

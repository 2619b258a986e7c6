"""The samples of the contract in TypeScript and Python, on the generated SDKs: each on a mailbox of its own."""

from asyncio import to_thread
from pathlib import Path

import pytest

from tests.samples.stage import Stage, operations, sample, sending_service, stage_for
from tests.sdks.built import compile_typescript, node, output, python_flow, typescript_app
from tests.servers.submission import SendingDovecot

pytestmark = [pytest.mark.sdks, pytest.mark.dovecot]
_PRINTED = "declare const console: { log(...told: unknown[]): void };\n"


async def test_the_samples_in_python_work(submission: SendingDovecot, tmp_path: Path) -> None:
    async with sending_service(submission) as replica:
        for name, operation in operations().items():
            stage = await stage_for(name, replica.url, submission)
            source = stage.set(sample(operation, "Python")).replace("event.data)", "event.data)\n    break")
            file = tmp_path / f"{name}.py"
            file.write_text(f'token = "{stage.token}"\n{source}')
            told = await python_flow(file)
            assert told.startswith("ping" if "break" in source else ""), name


async def test_the_samples_in_typescript_work(submission: SendingDovecot) -> None:
    """They are checked strictly, and run."""
    app = await to_thread(typescript_app)
    files = {name: app / f"sample-{name}.mts" for name in operations()}
    async with sending_service(submission) as replica:
        for name, operation in operations().items():
            stage = await stage_for(name, replica.url, submission)
            files[name].write_text(_typescript(stage, sample(operation, "TypeScript")))
        await to_thread(compile_typescript, *files.values())
        for name, file in files.items():
            told = await output(node(), file.with_suffix(".mjs"))
            assert told.startswith("ping" if name == "watchAccount" else ""), name


def _typescript(stage: Stage, source: str) -> str:
    """A module that ends: a sample of a stream would listen for ever."""
    once = stage.set(source).replace("event.data);", "event.data);\n  break;")
    first, rest = once.split("\n", 1)
    return f"{first}\n{_PRINTED}const token = '{stage.token}';\n{rest}"

"""The samples of the contract in TypeScript and Python, on the generated SDKs: each on a mailbox of its own.

All of a language run in one process, one after the other: it takes longer to load an SDK than to call it.
"""

import sys
from asyncio import to_thread
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.samples.stage import Stage, has_sample, operations, sample, sending_service, stage_for
from tests.samples.test_curl import WITHOUT_ISSUER
from tests.sdks.built import ROOT, compile_typescript, node, typescript_app
from tests.sdks.running import output
from tests.servers.submission import SendingDovecot

pytestmark = [pytest.mark.sdks, pytest.mark.dovecot, pytest.mark.timeout(300)]
_DECLARED = "declare const console: { log(...told: unknown[]): void };\n"
_PYTHON = "import runpy, sys\nfor file in sys.argv[1:]:\n    print('ran', file)\n    runpy.run_path(file)\n"
_NODE = "for (const file of process.argv.slice(2)) {\n  console.log('ran', file);\n  await import(file);\n}\n"


async def _write(
    folder: Path, suffix: str, program: Callable[[Stage, str], str], url: str, dovecot: SendingDovecot
) -> list[Path]:
    """A program of each operation."""
    files = []
    label = {".py": "Python", ".mts": "TypeScript"}[suffix]
    for name, operation in operations().items():
        if name in WITHOUT_ISSUER or not has_sample(operation, label):
            continue
        stage = await stage_for(name, url, dovecot)
        files.append(folder / f"sample-{name}{suffix}")
        files[-1].write_text(program(stage, sample(operation, label)))
    return files


def _python(stage: Stage, source: str) -> str:
    """A stream ends after its first event."""
    return f'token = "{stage.token}"\n' + stage.set(source).replace("event.data)", "event.data)\n    break")


def _typescript(stage: Stage, source: str) -> str:
    """A stream ends after its first event."""
    imported, rest = stage.set(source).replace("event.data);", "event.data);\n  break;").split("\n", 1)
    return f"{imported}\n{_DECLARED}const token = '{stage.token}';\n{rest}"


def _is_complete(told: str, files: list[Path]) -> bool:
    """Whether each ran to its end, and that of the stream heard an event."""
    lines = told.splitlines()
    return [line for line in lines if line.startswith("ran ")] == [f"ran {file}" for file in files] and any(
        line.startswith("ping ") for line in lines
    )


async def test_the_samples_in_python_work(complete_dovecot: SendingDovecot, tmp_path: Path) -> None:
    [wheel] = (ROOT / "build" / "dist" / "pypi").glob("casella_client-*.whl")
    async with sending_service(complete_dovecot, tmp_path) as replica:
        files = await _write(tmp_path, ".py", _python, replica.url, complete_dovecot)
        told = await output(sys.executable, "-c", _PYTHON, *files, PYTHONPATH=str(wheel))
    assert _is_complete(told, files)


async def test_the_samples_in_typescript_work(complete_dovecot: SendingDovecot, tmp_path: Path) -> None:
    """They are checked strictly, and run."""
    app = await to_thread(typescript_app)
    (app / "samples.mjs").write_text(_NODE)
    async with sending_service(complete_dovecot, tmp_path) as replica:
        files = await _write(app, ".mts", _typescript, replica.url, complete_dovecot)
        await to_thread(compile_typescript, *files)
        compiled = [file.with_suffix(".mjs") for file in files]
        told = await output(node(), app / "samples.mjs", *compiled)
    assert _is_complete(told, compiled)

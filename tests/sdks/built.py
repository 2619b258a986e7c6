"""The generated SDKs as their users build them, and programs on top of each."""

import sys
from collections.abc import Awaitable, Callable
from functools import cache
from pathlib import Path
from subprocess import run

from tests.sdks.jvm import java_program, kotlin_program
from tests.sdks.running import Failed, output
from tests.sdks.swift import swift_program

ROOT = Path(__file__).parents[2]
SDKS = ROOT / "build" / "sdks"
DIST = ROOT / "build" / "dist"
FLOWS = Path(__file__).parent / "flows"
APP = SDKS / "app"
"""The folder in which programs on the TypeScript SDK are built. The SDK is installed there."""


def _done(*command: str | Path) -> None:
    done = run(list(map(str, command)), capture_output=True, text=True, check=False)
    if done.returncode:
        raise Failed(f"{command[0]} ended with {done.returncode}: {(done.stdout + done.stderr)[-4000:]}")


def node() -> Path:
    """The Node.js of this environment, beside its Python."""
    return Path(sys.executable).with_name("node")


def node_tool(name: str) -> list[str | Path]:
    return [node(), ROOT / "openapi" / "node_modules" / ".bin" / name]


@cache
def typescript_app() -> Path:
    """A folder with the SDK installed and the programs compiled."""
    APP.mkdir(exist_ok=True)
    (APP / "package.json").write_text('{"private": true}')
    [package] = (DIST / "npm").glob("casella-client-*.tgz")
    npm = Path(sys.executable).with_name("npm")
    _done(npm, "install", "--offline", "--no-audit", "--no-fund", "--prefix", APP, package)
    for flow in FLOWS.glob("*.mts"):
        (APP / flow.name).write_text(flow.read_text())
    compile_typescript(*APP.glob("*.mts"))
    return APP


def compile_typescript(*files: Path) -> None:
    """Strictly, as an app does."""
    _done(*node_tool("tsc"), "--strict", "--module", "nodenext", "--target", "es2022", *files)


async def python_flow(file: Path, *arguments: str, **environment: str) -> str:
    """On the wheel, from which Python imports without installing it."""
    [wheel] = (DIST / "pypi").glob("casella_client-*.whl")
    return await output(sys.executable, file, *arguments, PYTHONPATH=str(wheel), **environment)


async def typescript_flow(name: str, *arguments: str, **environment: str) -> str:
    return await output(node(), typescript_app() / f"{name}.mjs", *arguments, **environment)


async def python_program(name: str, *arguments: str) -> str:
    return await python_flow(FLOWS / f"{name}.py", *arguments)


PROGRAMS: dict[str, Callable[..., Awaitable[str]]] = {
    "typescript": typescript_flow,
    "python": python_program,
    "java": java_program,
    "kotlin": kotlin_program,
    "swift": swift_program,
}
"""Each runs a program of `openapi/sdks/STEPS.md`: ``await PROGRAMS["java"]("flow", url, username, password)``."""


async def run_snippet(language: str, text: str, folder: Path) -> str:
    """What a program of a few lines prints, on top of the SDK; TypeScript is checked strictly."""
    if language == "python":
        (folder / "snippet.py").write_text(text)
        return await python_flow(folder / "snippet.py")
    file = typescript_app() / f"{folder.name}.mts"
    file.write_text("declare const console: { log(...told: unknown[]): void };\n" + text)
    compile_typescript(file)
    return await output(node(), file.with_suffix(".mjs"))

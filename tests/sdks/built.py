"""The generated SDKs as their users build them, and programs on top of each."""

import asyncio
import os
import sys
from collections.abc import Awaitable, Callable
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from subprocess import run

ROOT = Path(__file__).parents[2]
SDKS = ROOT / "build" / "sdks"
DIST = ROOT / "build" / "dist"
FLOWS = Path(__file__).parent / "flows"
APP = SDKS / "app"
"""The folder in which programs on the TypeScript SDK are built. The SDK is installed there."""


class Failed(Exception):
    """A program's own words about why it ended badly."""


async def output(*command: str | Path, **environment: str) -> str:
    """What it prints."""
    env = os.environ | environment
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(*map(str, command), stdout=pipe, stderr=pipe, env=env)
    out, err = await process.communicate()
    if process.returncode:
        raise Failed(f"{command[0]} ended with {process.returncode}: {(out + err).decode()[-4000:]}")
    return out.decode()


def _done(*command: str | Path) -> None:
    done = run(list(map(str, command)), capture_output=True, text=True, check=False)
    if done.returncode:
        raise Failed(f"{command[0]} ended with {done.returncode}: {(done.stdout + done.stderr)[-4000:]}")


def installed(package: str, *path: str) -> Path:
    """A file of a package of this environment."""
    spec = find_spec(package)
    assert spec is not None, f"{package} is not there: make sdks installs it"
    [folder] = spec.submodule_search_locations or []
    return Path(folder, *path)


def node() -> Path:
    """The Node.js of this environment, beside its Python."""
    return Path(sys.executable).with_name("node")


def node_tool(name: str) -> list[str | Path]:
    return [node(), ROOT / "openapi" / "node_modules" / ".bin" / name]


@cache
def generator_jar() -> Path:
    """Has Jackson inside."""
    return installed("openapi_generator_cli", "openapi-generator.jar")


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


def kotlin_models() -> set[str]:
    """Names of the classes that the Kotlin models compile to."""
    jars = installed("run_kotlin_kernel", "jars")
    classes = SDKS / "kotlin" / "classes"
    [stdlib] = jars.glob("kotlin-stdlib-*.jar")
    models = SDKS / "kotlin" / "src" / "main" / "kotlin" / "casella" / "client" / "models"
    compiler = ["java", "-cp", f"{jars}/*", "org.jetbrains.kotlin.cli.jvm.K2JVMCompiler", "-no-stdlib", "-no-reflect"]
    _done(*compiler, "-cp", f"{stdlib}:{generator_jar()}", "-d", classes, models)
    return {file.stem for file in classes.rglob("*.class")}


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

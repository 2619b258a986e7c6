"""What the guide shows in Java, Kotlin and Swift is compiled, and runs on the demo."""

import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from openapi.sdks.jvm import class_path, compile_java, compile_kotlin, java_libraries, kotlin_libraries
from tests.demo.test_demo import Demo
from tests.sdks.jvm import package
from tests.sdks.running import output
from tests.sdks.swift import swift_mains

pytestmark = [pytest.mark.sdks, pytest.mark.timeout(600)]
ROOT = Path(__file__).parents[2]
NAMES = ("First", "More", "Listen", "Bring")
Commands = list[list[str | Path]]


@pytest.fixture(scope="module")
def demo() -> Iterator[Demo]:
    demo = Demo()
    yield demo
    demo.end()


def snippets(language: str, url: str) -> dict[str, str]:
    page = (ROOT / "docs" / "sdks.md").read_text().replace("http://127.0.0.1:8000", url)
    return dict(zip(NAMES, re.findall(rf"^```{language}\n(.*?)^```", page, re.MULTILINE | re.DOTALL), strict=True))


def written(folder: Path, suffix: str, texts: dict[str, str]) -> list[Path]:
    for name, text in texts.items():
        (folder / f"{name}{suffix}").write_text(text)
    return sorted(folder.glob(f"*{suffix}"))


def java(folder: Path, texts: dict[str, str]) -> Commands:
    libraries = [package("casella-java"), *java_libraries()]
    compile_java(written(folder, ".java", texts), folder, libraries)
    return [["java", "-cp", class_path([folder, *libraries]), name] for name in NAMES]


def kotlin(folder: Path, texts: dict[str, str]) -> Commands:
    libraries = [package("casella-kotlin"), *kotlin_libraries()]
    compile_kotlin(written(folder, ".kt", texts), folder / "classes", libraries, "guide")
    return [["java", "-cp", class_path([folder / "classes", *libraries]), f"{name}Kt"] for name in NAMES]


def swift(_: Path, texts: dict[str, str]) -> Commands:
    return swift_mains("guide", texts)


LANGUAGES: dict[str, Callable[[Path, dict[str, str]], Commands]] = {"java": java, "kotlin": kotlin, "swift": swift}


@pytest.mark.parametrize("language", LANGUAGES)
async def test_the_guide_s_programs_run(language: str, demo: Demo, tmp_path: Path) -> None:
    commands = LANGUAGES[language](tmp_path, snippets(language, demo.url))
    first, more, listen, bring = [await output(*command) for command in commands]
    total, _, subject = first.strip().partition(" ")
    assert subject in more.splitlines()
    assert more.splitlines()[-2] == total
    assert re.fullmatch(r"/problems/not-found .+ \w+", more.splitlines()[-1])
    assert listen.startswith("ping ")
    assert int(bring.split()[-1]) > 100

"""Programs on the packages of Java and Kotlin, as their users build them."""

from collections.abc import Callable
from functools import cache
from pathlib import Path

from openapi.sdks.jvm import class_path, compile_java, compile_kotlin, java_libraries, kotlin_libraries
from tests.sdks.running import output

ROOT = Path(__file__).parents[2]
MAVEN = ROOT / "build" / "dist" / "maven" / "org" / "casella"
_FLOWS = Path(__file__).parent / "flows"
_CLASSES = ROOT / "build" / "sdks" / "classes"


def package(artifact: str) -> Path:
    """Its jar."""
    [jar] = (file for file in (MAVEN / artifact).glob("*/*.jar") if not file.stem.endswith("-sources"))
    return jar


@cache
def java_classes() -> str:
    """The class path of the Java package and the programs on it."""
    libraries = [package("casella-java"), *java_libraries()]
    compile_java(sorted(_FLOWS.glob("*.java")), _CLASSES / "java", libraries)
    return class_path([_CLASSES / "java", *libraries])


@cache
def kotlin_classes() -> str:
    libraries = [package("casella-kotlin"), *kotlin_libraries()]
    compile_kotlin(sorted(_FLOWS.glob("*.kt")), _CLASSES / "kotlin", libraries, "flows")
    return class_path([_CLASSES / "kotlin", *libraries])


async def _run(classes: Callable[[], str], name: str, *arguments: str) -> str:
    options = ("-Xshare:auto", "-XX:TieredStopAtLevel=1", "-Dfile.encoding=UTF-8", "-Dstdout.encoding=UTF-8")
    return await output("java", *options, "-cp", classes(), name.capitalize(), *arguments)


async def java_program(name: str, *arguments: str) -> str:
    return await _run(java_classes, name, *arguments)


async def kotlin_program(name: str, *arguments: str) -> str:
    return await _run(kotlin_classes, name, *arguments)

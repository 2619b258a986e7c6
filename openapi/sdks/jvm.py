"""Compilers and libraries for Java and Kotlin, from the packages that `make sdks` installs."""

import subprocess
from collections.abc import Iterable
from importlib.util import find_spec
from pathlib import Path

from openapi.sdks.archives import write_zip
from openapi.sdks.product import ROOT

JAVA_RELEASE = "17"
KOTLIN_TARGET = "1.8"
"""Android's."""
_PLUGINS = "META-INF/services/org.jetbrains.kotlin.compiler.plugin.CompilerPluginRegistrar"
_SERIALIZATION = b"org.jetbrains.kotlinx.serialization.compiler.extensions.SerializationComponentRegistrar"
"""The compiler has it inside, beside plugins that must not be loaded twice, so it is given by its name alone."""
_JAKARTA = Path("/usr/share/java/jakarta-annotation-api.jar")
_OKHTTP = ROOT / "openapi" / "node_modules" / "allure-commandline" / "dist" / "plugins" / "jira-plugin" / "lib"


class Failed(Exception):
    """A program's own words about why it ended badly."""


def done(*command: str | Path) -> None:
    words = list(map(str, command))
    ended = subprocess.run(words, capture_output=True, text=True, check=False)  # noqa: S603 - our own programs
    if ended.returncode:
        raise Failed(f"{command[0]} ended with {ended.returncode}: {(ended.stdout + ended.stderr)[-4000:]}")


def installed(package: str, *path: str) -> Path:
    """A file of a package of this environment."""
    spec = find_spec(package)
    if spec is None:
        raise Failed(f"{package} is missing. `make sdks` installs it.")
    [folder] = spec.submodule_search_locations or []
    return Path(folder, *path)


def java_libraries() -> list[Path]:
    """Jackson, which the generator has inside, and annotations."""
    return [installed("openapi_generator_cli", "openapi-generator.jar"), _JAKARTA]


def kotlin_libraries() -> list[Path]:
    """The compiler has coroutines inside; OkHttp comes with Allure."""
    jars = installed("run_kotlin_kernel", "jars")
    names = ("kotlin-stdlib-*.jar", "kotlinx-serialization-*-jvm-*.jar", "kotlin-jupyter-kernel-*-all.jar")
    okhttp = [*_OKHTTP.glob("okhttp-jvm-*.jar"), *_OKHTTP.glob("okio-jvm-*.jar")]
    return [*(file for name in names for file in sorted(jars.glob(name))), *okhttp]


def class_path(jars: Iterable[Path]) -> str:
    return ":".join(map(str, jars))


def compile_java(sources: Iterable[Path], classes: Path, libraries: Iterable[Path]) -> None:
    options = ("-nowarn", "-proc:none", "-parameters", "--release", JAVA_RELEASE, "-encoding", "UTF-8")
    done("javac", *options, "-d", classes, "-cp", class_path(libraries), *sources)


def compile_kotlin(sources: Iterable[Path], classes: Path, libraries: Iterable[Path], module: str) -> None:
    jars = installed("run_kotlin_kernel", "jars")
    options = ("-no-stdlib", "-no-reflect", "-jvm-target", KOTLIN_TARGET, "-module-name", module, "-Werror")
    plugin = classes.with_name(classes.name + "-serialization.jar")
    write_zip(plugin, {_PLUGINS: _SERIALIZATION})
    java = ("java", "-Xmx1g", "-cp", f"{jars}/*", "org.jetbrains.kotlin.cli.jvm.K2JVMCompiler")
    done(*java, *options, f"-Xplugin={plugin}", "-d", classes, "-cp", class_path(libraries), *sources)

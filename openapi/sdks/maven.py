"""Compiles an SDK and packs it as Maven repositories have it: ``python -m openapi.sdks.maven java`` (or ``kotlin``)."""

import os
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

from openapi.sdks.archives import files_in, write_checksums, write_zip
from openapi.sdks.jvm import compile_java, compile_kotlin, java_libraries, kotlin_libraries
from openapi.sdks.product import ROOT, Product, product

BUILD = Path(os.environ.get("BUILD", ROOT / "build"))
GROUP = "org.casella"
_MANIFEST = "Manifest-Version: 1.0\r\nImplementation-Title: {title}\r\nImplementation-Version: {version}\r\n\r\n"
_POM = """\
<?xml version="1.0" encoding="UTF-8"?>
<project xmlns="http://maven.apache.org/POM/4.0.0">
  <modelVersion>4.0.0</modelVersion>
  <groupId>{group}</groupId>
  <artifactId>{artifact}</artifactId>
  <version>{product.version}</version>
  <packaging>jar</packaging>
  <name>{product.name}</name>
  <description>{product.description}</description>
  <url>{product.url}</url>
  <licenses>
    <license>
      <name>{product.licence}</name>
      <url>https://spdx.org/licenses/{product.licence}.html</url>
    </license>
  </licenses>
  <developers>
    <developer>
      <name>{product.name}</name>
      <url>{product.url}</url>
    </developer>
  </developers>
  <scm>
    <url>{product.url}</url>
  </scm>
  <dependencies>
{dependencies}  </dependencies>
</project>
"""
_DEPENDENCY = """\
    <dependency>
      <groupId>{}</groupId>
      <artifactId>{}</artifactId>
      <version>{}</version>
      <scope>compile</scope>
    </dependency>
"""
Compile = Callable[[Iterable[Path], Path], None]


class Sdk(NamedTuple):
    artifact: str
    sources: Path
    compile: Compile
    dependencies: tuple[tuple[str, str, str], ...]


def _java(sources: Iterable[Path], classes: Path) -> None:
    compile_java(sources, classes, java_libraries())


def _kotlin(sources: Iterable[Path], classes: Path) -> None:
    compile_kotlin(sources, classes, kotlin_libraries(), "casella-kotlin")


SDKS = {
    "java": Sdk(
        "casella-java",
        BUILD / "sdks" / "java" / "src" / "main" / "java",
        _java,
        (
            ("com.fasterxml.jackson.core", "jackson-databind", "2.22.2"),
            ("com.fasterxml.jackson.datatype", "jackson-datatype-jsr310", "2.22.2"),
            ("jakarta.annotation", "jakarta.annotation-api", "2.1.1"),
        ),
    ),
    "kotlin": Sdk(
        "casella-kotlin",
        BUILD / "sdks" / "kotlin" / "src" / "main" / "kotlin",
        _kotlin,
        (
            ("com.squareup.okhttp3", "okhttp", "5.5.0"),
            ("org.jetbrains.kotlin", "kotlin-stdlib", "2.3.10"),
            ("org.jetbrains.kotlinx", "kotlinx-coroutines-core", "1.10.2"),
            ("org.jetbrains.kotlinx", "kotlinx-serialization-json", "1.9.0"),
        ),
    ),
}


def pack(sdk: Sdk, repository: Path) -> None:
    """The jar, its sources and its pom, each with checksums."""
    about = product()
    folder = repository.joinpath(*GROUP.split("."), sdk.artifact, about.version)
    name = f"{sdk.artifact}-{about.version}"
    manifest = _MANIFEST.format(title=sdk.artifact, version=about.version)
    common = {"META-INF/MANIFEST.MF": manifest.encode(), "META-INF/LICENSE": (ROOT / "LICENSE").read_bytes()}
    with TemporaryDirectory() as classes:
        sdk.compile(sorted(sdk.sources.rglob("*.*")), Path(classes))
        write_zip(folder / f"{name}.jar", common | files_in(Path(classes)))
    write_zip(folder / f"{name}-sources.jar", common | files_in(sdk.sources))
    (folder / f"{name}.pom").write_text(pom(sdk, about))
    for file in sorted(folder.glob(f"{name}*[mr]")):
        write_checksums(file)


def pom(sdk: Sdk, about: Product) -> str:
    dependencies = "".join(_DEPENDENCY.format(*one) for one in sdk.dependencies)
    return _POM.format(group=GROUP, artifact=sdk.artifact, product=about, dependencies=dependencies)


if __name__ == "__main__":
    pack(SDKS[sys.argv[1]], BUILD / "dist" / "maven")

"""What registries take, for Java, Kotlin and Swift: complete, named after the product, and the same whenever it is made."""

import hashlib
from pathlib import Path
from xml.etree import ElementTree
from zipfile import ZipFile

import pytest

from openapi.sdks.archives import files_in, write_zip
from openapi.sdks.maven import SDKS, pack
from openapi.sdks.product import product
from tests.sdks.jvm import MAVEN

pytestmark = [pytest.mark.sdks, pytest.mark.timeout(600)]
ROOT = Path(__file__).parents[2]
DIST = ROOT / "build" / "dist"
VERSION = product().version
_NAMESPACE = {"": "http://maven.apache.org/POM/4.0.0"}


def packed() -> list[Path]:
    archives = [*MAVEN.rglob("*.jar"), *MAVEN.rglob("*.pom"), *(DIST / "swift").glob("*.zip")]
    assert len(archives) == 7, "make sdks makes them"
    return archives


@pytest.mark.parametrize("language", SDKS)
def test_a_jar_made_twice_is_the_same(language: str, tmp_path: Path) -> None:
    sdk = SDKS[language]
    pack(sdk, tmp_path)
    assert files_in(tmp_path / "org" / "casella" / sdk.artifact) == files_in(MAVEN / sdk.artifact)


def test_a_zip_made_twice_is_the_same(tmp_path: Path) -> None:
    name = f"CasellaClient-{VERSION}"
    write_zip(tmp_path / "again.zip", files_in(ROOT / "build" / "sdks" / "swift", f"{name}/"))
    assert (tmp_path / "again.zip").read_bytes() == (DIST / "swift" / f"{name}.zip").read_bytes()


def test_checksums_are_those_of_the_files() -> None:
    for file in packed():
        for algorithm in ("md5", "sha1", "sha256"):
            expected = hashlib.new(algorithm, file.read_bytes()).hexdigest()
            assert file.with_name(f"{file.name}.{algorithm}").read_text() == expected


@pytest.mark.parametrize("language", SDKS)
def test_a_pom_says_what_the_product_is(language: str) -> None:
    [file] = (MAVEN / SDKS[language].artifact).rglob("*.pom")
    pom = ElementTree.parse(file).getroot()
    names = ("groupId", "artifactId", "version", "url", "licenses/license/name")
    said = [pom.findtext(name, namespaces=_NAMESPACE) for name in names]
    about = product()
    assert said == ["org.casella", f"casella-{language}", about.version, about.url, about.licence]


def test_packages_have_no_name_that_a_generator_left() -> None:
    for archive in packed():
        text = file_text(archive)
        for left in (
            b"openapitools",
            b"OpenAPI Generator",
            b"GIT_USER_ID",
            b"propertySize",
            b"unknown_default_open_api",
        ):
            assert left not in text, (archive, left)


def file_text(archive: Path) -> bytes:
    if archive.suffix == ".pom":
        return archive.read_bytes()
    with ZipFile(archive) as files:
        return b"".join(name.encode() + files.read(name) for name in files.namelist())


def test_a_swift_package_is_whole() -> None:
    with ZipFile(DIST / "swift" / f"CasellaClient-{VERSION}.zip") as files:
        names = {name.removeprefix(f"CasellaClient-{VERSION}/") for name in files.namelist()}
    assert {"Package.swift", "README.md", "LICENSE", "Sources/CasellaClient/Casella.swift"} <= names
    assert not any(name.startswith(".") for name in names)


def test_the_kotlin_jar_has_only_functions_that_suspend() -> None:
    """Every operation, and none has more than five parameters."""
    with ZipFile(next((MAVEN / "casella-kotlin").rglob("*-sources.jar"))) as files:
        sources = [files.read(name).decode() for name in files.namelist() if "/api/" in name]
    functions = [line for text in sources for line in text.splitlines() if " fun " in line]
    assert len(functions) > 40
    assert all("public suspend fun " in line for line in functions)
    assert max(line.split("(", 1)[1].count(": ") for line in functions) <= 6  # the last is the result

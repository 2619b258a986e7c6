"""What is packed for registries: `build/dist`."""

import json
import re
import subprocess
import sys
import tarfile
import tomllib
import zipfile
from collections.abc import Callable
from email import message_from_bytes
from hashlib import sha256
from pathlib import Path

import pytest
import yaml

from openapi.sdks.product import Product, product
from tests.sdks.built import DIST, ROOT, SDKS

pytestmark = pytest.mark.sdks


def _npm(octets: dict[str, bytes]) -> dict[str, str]:
    package = json.loads(octets["package/package.json"])
    keys = ("name", "version", "description", "license", "homepage")
    return dict(zip(Product._fields, (package[key] for key in keys), strict=True))


def _wheel(octets: dict[str, bytes]) -> dict[str, str]:
    [metadata] = [text for name, text in octets.items() if name.endswith(".dist-info/METADATA")]
    said = message_from_bytes(metadata)
    url = said["Project-URL"].removeprefix("Homepage, ")
    return dict(
        zip(
            Product._fields,
            (said["Name"], said["Version"], said["Summary"], said["License-Expression"], url),
            strict=True,
        )
    )


def _sdist(octets: dict[str, bytes]) -> dict[str, str]:
    [text] = [text for name, text in octets.items() if name.endswith("/pyproject.toml")]
    said = tomllib.loads(text.decode())["project"]
    values = (said["name"], said["version"], said["description"], said["license"], said["urls"]["Homepage"])
    return dict(zip(Product._fields, values, strict=True))


def _pub(octets: dict[str, bytes]) -> dict[str, str]:
    said = yaml.safe_load(octets["pubspec.yaml"])
    licence = "GPL-3.0-or-later" if b"GNU GENERAL PUBLIC LICENSE" in octets["LICENSE"] else ""
    return dict(
        zip(
            Product._fields,
            (said["name"], said["version"], said["description"], licence, said["homepage"]),
            strict=True,
        )
    )


PACKAGES: dict[str, Callable[[dict[str, bytes]], dict[str, str]]] = {
    "npm/casella-client-{}.tgz": _npm,
    "pypi/casella_client-{}-py3-none-any.whl": _wheel,
    "pypi/casella_client-{}.tar.gz": _sdist,
    "pub/casella_client-{}.tar.gz": _pub,
}


def contents(file: Path) -> dict[str, bytes]:
    if file.suffix == ".whl":
        with zipfile.ZipFile(file) as archive:
            return {name: archive.read(name) for name in archive.namelist()}
    with tarfile.open(file) as archive:
        return {member.name: archive.extractfile(member).read() for member in archive if member.isfile()}  # type: ignore[union-attr]


@pytest.mark.parametrize("name", PACKAGES)
def test_a_package_says_what_it_is(name: str) -> None:
    octets = contents(DIST / name.format(product().version))
    said = PACKAGES[name](octets)
    assert said["name"] in {"casella-client", "casella_client"}
    assert said["description"].startswith(product().description)
    assert (said["version"], said["licence"], said["url"]) == (product().version, product().licence, product().url)
    for file, text in octets.items():
        assert not re.search(rb"GIT_USER_ID|GIT_REPO_ID|org\.openapitools|openapitools\.org|PRODUCT_", text), file
        assert not any(word in file for word in ("git_push", "travis", ".openapi-generator")), file
    assert any("LICENSE" in file for file in octets)
    assert any(file.endswith(("README.md", "METADATA")) and b"Casella(" in text for file, text in octets.items())


@pytest.mark.timeout(600)  # all languages are compiled again
def test_packages_made_twice_are_equal(tmp_path: Path) -> None:
    environment = {"BIN": str(Path(sys.executable).parent), "BUILD": str(tmp_path), "PATH": "/usr/bin:/bin"}
    subprocess.run([ROOT / ".ci" / "sdks"], env=environment, check=True, stdout=subprocess.DEVNULL)
    again = {file.relative_to(tmp_path / "dist"): file for file in (tmp_path / "dist").rglob("*") if file.is_file()}
    first = {file.relative_to(DIST): file for file in DIST.rglob("*") if file.is_file()}
    assert len(first) >= len(PACKAGES)
    assert {name: _sum(file) for name, file in again.items()} == {name: _sum(file) for name, file in first.items()}


def _sum(file: Path) -> str:
    return sha256(file.read_bytes()).hexdigest()


def test_what_is_written_by_hand_for_python_is_strictly_typed(tmp_path: Path) -> None:
    """Together with the generated half, without which it cannot be checked."""
    package = SDKS / "python" / "casella_client"
    files = [package / file.name for file in (ROOT / "openapi" / "sdks" / "python" / "casella_client").glob("*.py")]
    command = [sys.executable, "-m", "mypy", "--strict", "--follow-imports=silent", f"--cache-dir={tmp_path}"]
    done = subprocess.run(
        [*command, "--config-file=", *map(str, files)], cwd=package.parent, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout


ODD = {
    "typescript": r"\b(Response|Error|Event|Headers|Request|File)\b",
    "python": r"\bvar_\w+",
    "dart": r"\b(Page|ModelPart|Model[A-Z]\w*)\b",
}
"""Names that clash with the platform's, or that a generator made up."""
DEFINED = {
    "typescript": ("*.ts", r"^export (?:interface|class|type|const|function) (\w+)"),
    "python": ("*.py", r"^(?:class|    def|    )\s*(\w+)"),
    "dart": ("*.dart", r"^(?:class|typedef|enum) (\w+)"),
}


@pytest.mark.parametrize("language", ODD)
def test_no_name_clashes_or_reads_oddly(language: str) -> None:
    pattern, definition = DEFINED[language]
    files = [file for file in (SDKS / language).rglob(pattern) if not {"dist", "cjs"} & set(file.parts)]
    names = {name for file in files for name in re.findall(definition, file.read_text(), re.MULTILINE)}
    assert len(names) > 60
    assert [name for name in names if re.fullmatch(ODD[language], name)] == []

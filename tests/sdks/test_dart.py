"""The Dart SDK, as far as it can be held without a compiler."""

import re
import shutil
from pathlib import Path

import pytest

from tests.sdks.built import ROOT, SDKS
from tests.sdks.dart import faults, syntax_errors

pytestmark = pytest.mark.sdks
PACKAGE = SDKS / "dart"


def test_the_package_is_whole_and_every_name_in_it_is_declared() -> None:
    assert faults(PACKAGE) == []


def _without_a_part(package: Path) -> None:
    (package / "lib" / "src" / "model" / "folder.dart").unlink()


def _with_a_generated_part(package: Path) -> None:
    file = package / "lib" / "src" / "model" / "folder.dart"
    main = package / "lib" / "casella_client.dart"
    main.write_text(main.read_text() + "part 'src/model/folder.g.dart';\n")
    assert file.exists()


def _with_an_error(package: Path) -> None:
    file = package / "lib" / "src" / "pages.dart"
    file.write_text(file.read_text().replace("cursor);", "cursor;", 1))


def _with_an_unknown_type(package: Path) -> None:
    file = package / "lib" / "src" / "pages.dart"
    file.write_text(file.read_text().replace("Stream<MessagePage>", "Stream<Page>", 1))


def _with_an_unknown_function(package: Path) -> None:
    file = package / "lib" / "src" / "problem.dart"
    file.write_text(file.read_text().replace("_seconds(response", "_secondsOf(response", 1))


BROKEN = {
    "missing: folder.dart": _without_a_part,
    "missing: folder.g.dart": _with_a_generated_part,
    "pages.dart line 8": _with_an_error,
    "pages.dart: Page": _with_an_unknown_type,
    "problem.dart: _secondsOf": _with_an_unknown_function,
}


@pytest.mark.parametrize("fault", BROKEN)
def test_a_package_that_does_not_compile_is_found(fault: str, tmp_path: Path) -> None:
    package = Path(shutil.copytree(PACKAGE, tmp_path / "dart"))
    BROKEN[fault](package)
    assert any(found.startswith(fault) for found in faults(package))


@pytest.mark.parametrize("page", [PACKAGE / "README.md", ROOT / "docs" / "sdks.md"])
def test_samples_are_dart(page: Path) -> None:
    samples = re.findall(r"^```dart\n(.*?)^```", page.read_text(), re.MULTILINE | re.DOTALL)
    assert samples
    assert [syntax_errors(sample) for sample in samples] == [[]] * len(samples)

"""The house has rooms that one sees at a glance."""

from pathlib import Path

import service

MODULES = 14
LINES = 500


def test_no_folder_has_more_modules_than_one_remembers() -> None:
    root = Path(service.__file__).parent
    counts = {folder: len([*folder.glob("*.py")]) - 1 for folder in [root, *root.rglob("*/")]}
    assert {folder.name: count for folder, count in counts.items() if count > MODULES} == {}


def test_no_module_is_longer_than_one_sitting() -> None:
    lines = {file: len(file.read_text().splitlines()) for file in Path(service.__file__).parent.rglob("*.py")}
    assert {file.name: count for file, count in lines.items() if count > LINES} == {}

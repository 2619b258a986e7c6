"""Regular expressions that mean the same on every Python we run on."""

import re
from pathlib import Path

import pytest

SERVICE = Path(__file__).parent.parent / "service"
_POSSESSIVE_GROUP = re.compile(r"(?<!\\)\)(?:[*+?]|\{[0-9,]+\})\+")


@pytest.mark.parametrize("path", sorted(SERVICE.rglob("*.py")), ids=lambda path: str(path.relative_to(SERVICE)))
def test_no_group_is_possessive(path: Path) -> None:
    """Before Python 3.11.5 such a group, left half-way, does not go back to where it began: ``(?>(?:…)*)`` does."""
    assert not _POSSESSIVE_GROUP.findall(path.read_text().replace("{{", "{").replace("}}", "}"))

"""The guide for contributors names what is there."""

import re
from pathlib import Path

import pytest

from service.adapters.openers import openers
from service.config import Settings
from service.mail.model import Protocol
from service.servers import MailServer, ServerTable

ROOT = Path(__file__).parents[1]
GUIDE = (ROOT / "docs/contributing.md").read_text()
LINKS = [link.partition("#")[0] for link in re.findall(r"\]\((\.\./[^)]+)\)", GUIDE)]


@pytest.mark.parametrize("link", sorted(set(LINKS)))
def test_what_the_guide_names_is_there(link: str) -> None:
    assert (ROOT / "docs" / link).is_file()


def test_the_worked_example_is_listed_whole() -> None:
    folder = "service/adapters/maildir"
    listed = {Path(link).name for link in LINKS if Path(link).parent.as_posix() == f"../{folder}"}
    assert listed == {file.name for file in (ROOT / folder).glob("*.py")} - {"__init__.py"}


def test_every_protocol_has_its_place_in_every_table() -> None:
    assert set(openers(Settings(servers={}), ServerTable({}))) == set(Protocol)
    assert set(Protocol) <= set(MailServer.__dataclass_fields__)

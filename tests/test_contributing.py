"""The guides for contributors name what exists."""

import re
from pathlib import Path

from service.accounts.servers import MailServer, ServerTable
from service.backends import backends
from service.mail.model import Protocol
from service.settings.model import Settings

ROOT = Path(__file__).parents[1]
EXAMPLE = "service/adapters/maildir"


def test_the_worked_example_is_listed_whole() -> None:
    text = (ROOT / "docs/adapters.md").read_text()
    listed = set(re.findall(rf"^\| \[(\w+\.py)\]\(\.\./{EXAMPLE}/\1\) \|", text, re.MULTILINE))
    assert listed == {file.name for file in (ROOT / EXAMPLE).glob("*.py")} - {"__init__.py"}


def test_every_protocol_has_its_place_in_every_table() -> None:
    assert set(backends(Settings(servers={}), ServerTable({}))) == set(Protocol)
    assert set(Protocol) <= set(MailServer.__dataclass_fields__)


def test_every_make_target_is_listed() -> None:
    """But for those that only prepare others."""
    targets = set(re.findall(r"^(\w+):.*##", (ROOT / "Makefile").read_text(), re.MULTILINE))
    listed = re.findall(r"^make (\w+) +#", (ROOT / "docs/contributing.md").read_text(), re.MULTILINE)
    assert targets - set(listed) == {"help", "system", "clean"}

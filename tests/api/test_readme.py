"""What the README says of protocols and settings is so."""

import re
from pathlib import Path

import pytest

from service.adapters.imap.backend import ImapBackend
from service.adapters.imap.offers import capabilities_of
from service.adapters.maildir.backend import MaildirBackend
from service.adapters.pop3.backend import Pop3Backend
from service.config import Settings
from service.mail.backend import Backend
from service.mail.grammar import HELP
from service.mail.model import Capability

README = (Path(__file__).parents[2] / "README.md").read_text()
NEEDED = {
    Capability.FOLDERS: {"create_folder", "change_folder", "delete_folder"},
    Capability.FLAGS: {"get_flags", "set_flags", "change_flags", "change_many"},
    Capability.MOVE: {"copy_messages", "move_messages"},
    Capability.APPEND: {"append_message", "append_once"},
    Capability.SEARCH: {"search_messages"},
    Capability.ACL: {"list_grants", "set_grant", "delete_grant"},
    Capability.QUOTA: {"list_quotas"},
}


def rows() -> dict[str, tuple[str, str, str]]:
    table = README[README.index("## IMAP, POP3 and Maildir") : README.index("## Map of the code")]
    found = re.findall(r"^\| .*\(`(\w+)`\) \| (.*?) \| (.*?) \| (.*?) \|$", table, re.MULTILINE)
    return {name: (imap, pop3, maildir) for name, imap, pop3, maildir in found}


@pytest.mark.parametrize("capability", list(Capability))
def test_the_table_of_protocols_is_true(capability: Capability) -> None:
    imap, pop3, maildir = rows()[capability]
    always, ever = capabilities_of(frozenset()), capabilities_of(frozenset({"MOVE", "UIDPLUS", "ACL", "QUOTA"}))
    said = "always" if imap.startswith(("yes", "by the server")) else "never" if imap == "not yet" else "sometimes"
    assert said == ("always" if capability in always else "sometimes" if capability in ever else "never")
    assert (pop3 == "501") is (capability not in Pop3Backend.capabilities)
    assert (maildir == "501") is (capability not in MaildirBackend.capabilities)


@pytest.mark.parametrize("backend", [ImapBackend, Pop3Backend, MaildirBackend])
def test_what_an_adapter_claims_it_has(backend: type[Backend]) -> None:
    """What it overrides of the port is what it may claim."""
    claimed = capabilities_of(frozenset({"MOVE", "ACL", "QUOTA"})) if backend is ImapBackend else backend.capabilities
    for capability, methods in NEEDED.items():
        has = {getattr(backend, method) is not getattr(Backend, method) for method in methods}
        assert has == {capability in claimed}, capability


def test_every_setting_is_explained() -> None:
    explained = set(
        re.findall(
            r"^\| `([a-z0-9_]+)[`.]", README[README.index("## Settings") : README.index("## Problems")], re.MULTILINE
        )
    )
    assert explained == set(Settings.model_fields)


def test_every_field_of_the_search_box_is_named() -> None:
    section = README[README.index("## Search") : README.index("## Writing safely")]
    fields = re.findall(r"\w+", section[section.index("Fields:") : section.index("with the names")])
    assert {row.field for row in HELP} - {"text"} <= set(fields)

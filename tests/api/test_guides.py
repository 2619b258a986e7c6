"""What the guides say of protocols, settings, searches and problems is so."""

import json
import re
import shlex
from pathlib import Path

import pytest
from pydantic import BaseModel

from service.adapters.imap.backend import ImapBackend
from service.adapters.imap.session.capabilities import capabilities_of
from service.adapters.maildir.backend import MaildirBackend
from service.adapters.pop3.backend import Pop3Backend
from service.api.problems import BY_NAME, Problem
from service.mail.backend import Backend
from service.mail.model import Capability
from service.mail.search.grammar.help import HELP
from service.settings.issuers import IssuerSettings
from service.settings.model import RateSettings, ServerSettings, Settings
from service.settings.push import ApnsSettings, DovecotSettings, FcmSettings, PushSettings
from service.settings.store import StoreSettings
from service.site.causes import CAUSES

DOCS = Path(__file__).parents[2] / "docs"
NEEDED = {
    Capability.FOLDERS: {"create_folder", "change_folder", "delete_folder"},
    Capability.FLAGS: {"get_flags", "set_flags", "change_flags", "change_many"},
    Capability.MOVE: {"copy_messages", "move_messages"},
    Capability.APPEND: {"append_message", "append_once"},
    Capability.SEARCH: {"search_messages", "find_messages"},
    Capability.SETTINGS: {"get_settings", "set_settings"},
    Capability.ACL: {"list_grants", "set_grant", "delete_grant"},
    Capability.QUOTA: {"list_quotas"},
}


def rows() -> dict[str, tuple[str, str, str]]:
    table = (DOCS / "protocols.md").read_text()
    found = re.findall(r"^\| .*\(`(\w+)`\) \| (.*?) \| (.*?) \| (.*?) \|$", table, re.MULTILINE)
    return {name: (imap, pop3, maildir) for name, imap, pop3, maildir in found}


@pytest.mark.parametrize("capability", sorted(set(Capability) - {Capability.SEND}))
def test_the_table_of_protocols_is_true(capability: Capability) -> None:
    imap, pop3, maildir = rows()[capability]
    always, ever = capabilities_of(frozenset()), capabilities_of(frozenset({"MOVE", "UIDPLUS", "ACL", "QUOTA"}))
    said = "always" if imap.startswith(("yes", "by the server")) else "never" if imap == "not yet" else "sometimes"
    assert said == ("always" if capability in always else "sometimes" if capability in ever else "never")
    assert (pop3 == "501") is (capability not in Pop3Backend.capabilities)
    assert (maildir == "501") is (capability not in MaildirBackend.capabilities)


SHORT = {
    "flags, append, create and rename folders": {Capability.FLAGS, Capability.APPEND, Capability.FOLDERS},
    "move, copy, empty": {Capability.MOVE},
    "search and sort": {Capability.SEARCH, Capability.SORT},
    "conversations": {Capability.THREADS},
    "what changed since a token": {Capability.CHANGES},
    "push (server-sent events)": {Capability.PUSH},
    "rights (ACL), quota": {Capability.ACL, Capability.QUOTA},
    "settings that follow the user": {Capability.SETTINGS},
    "import of another mailbox's mail": {Capability.IMPORT},
    "send": {Capability.SEND},
}


def test_the_readme_s_table_says_the_same() -> None:
    """As the whole table, which is proved on every kind of mailbox."""
    said = re.findall(
        r"^\| (.*?) \| (.*?) \| (.*?) \| (.*?) \|$", (DOCS.parent / "README.md").read_text(), re.MULTILINE
    )
    short = {line: cells for line, *cells in said}
    for line, capabilities in SHORT.items():
        for cell, *whole in zip(short[line], *(rows()[one] for one in capabilities), strict=True):
            assert {cell == "no"} == {text == "501" for text in whole}, line
            assert {cell.startswith("if ")} == {text.startswith("if ") for text in whole}, line
    assert set().union(*SHORT.values()) == set(Capability)


@pytest.mark.parametrize("backend", [ImapBackend, Pop3Backend, MaildirBackend])
def test_what_an_adapter_claims_it_has(backend: type[Backend]) -> None:
    """What it overrides of the port is what it may claim."""
    claimed = capabilities_of(frozenset({"MOVE", "ACL", "QUOTA"})) if backend is ImapBackend else backend.capabilities
    for capability, methods in NEEDED.items():
        has = {getattr(backend, method) is not getattr(Backend, method) for method in methods}
        assert has == {capability in claimed}, capability


MODELS: dict[str, type[BaseModel]] = {
    "": Settings,
    "rates": RateSettings,
    "store": StoreSettings,
    "oauth.NAME": IssuerSettings,
    "push": PushSettings,
    "push.dovecot": DovecotSettings,
    "push.fcm": FcmSettings,
    "push.apns": ApnsSettings,
}


def settings() -> dict[str, tuple[str, str]]:
    """The variable and the default of each key."""
    rows = re.findall(r"^\| `([\w.]+)` \| `(\w+)…?` \| (.*?) \|", (DOCS / "settings.md").read_text(), re.MULTILINE)
    return {key: (variable, default) for key, variable, default in rows}


def test_every_setting_is_explained() -> None:
    assert {key.partition(".")[0] for key in settings()} == set(Settings.model_fields)
    assert {key.removeprefix("servers.NAME.") for key in settings() if key.startswith("servers.")} == set(
        ServerSettings.model_fields
    )
    assert {key.removeprefix("oauth.NAME.") for key in settings() if key.startswith("oauth.")} == set(
        IssuerSettings.model_fields
    )
    assert {key.removeprefix("rates.") for key in settings() if key.startswith("rates.")} == set(
        RateSettings.model_fields
    )
    assert {key.removeprefix("store.") for key in settings() if key.startswith("store.")} == set(
        StoreSettings.model_fields
    )


def test_every_setting_of_pushes_is_named() -> None:
    text = (DOCS / "settings.md").read_text()
    tables: dict[str, type[BaseModel]] = {
        "push.dovecot": DovecotSettings,
        "push.fcm": FcmSettings,
        "push.apns": ApnsSettings,
    }
    own = {f"push.{name}" for name in PushSettings.model_fields} - tables.keys()
    own |= {f"{table}.{name}" for table, model in tables.items() for name in model.model_fields}
    assert {name for name in own if f"`{name}`" not in text} == set()


def test_every_setting_has_its_variable_and_its_default() -> None:
    for key, (variable, default) in settings().items():
        assert variable.rstrip("_") == f"CASELLA_{key.upper().replace('.', '__')}"
        table, _, name = key.rpartition(".")
        model = MODELS.get(table, ServerSettings)
        value = model.model_fields[name].default
        if value is None and table == "rates" and name != "url":
            assert default == "off"
        elif isinstance(value, bool | int | float | str):
            assert default == str(value).lower() or default == value


def test_lists_are_separated_by_commas_or_json_in_a_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    shown = re.findall(r"`(CASELLA_ALLOWED_ORIGINS=.*?)`", (DOCS / "settings.md").read_text())
    assert len(shown) == 2
    for each in shown:
        [text] = shlex.split(each)
        monkeypatch.setenv(*text.split("=", 1))
        assert Settings(servers={}).allowed_origins == ("https://app.example.org", "https://beta.example.org")


def test_every_field_of_the_search_box_is_named() -> None:
    text = (DOCS / "search.md").read_text()
    fields = re.findall(r"\w+", text[text.index("Fields:") : text.index("names that Gmail uses")])
    assert {row.field for row in HELP} - {"text"} <= set(fields)


def test_every_parameter_of_a_search_is_named() -> None:
    text = (DOCS / "search.md").read_text()
    named = re.findall(r"`(\w+)`", text[text.index("The parameters are") : text.index("A message has to match")])
    contract = json.loads((DOCS.parent / "openapi" / "openapi.json").read_text())
    parameters = contract["paths"]["/v1/accounts/{account}/folders/{folder}/messages"]["get"]["parameters"]
    of_the_list = {"limit", "cursor", "sort", "fields", "include", "q"}
    assert set(named) == {one["name"] for one in parameters if one["in"] == "query"} - of_the_list


def test_every_problem_is_explained_with_its_status() -> None:
    rows = re.findall(r"^\| (\d+) \| `([\w-]+)` \| (.*?) \|", (DOCS / "errors.md").read_text(), re.MULTILINE)
    assert sorted((name, int(status)) for status, name, _ in rows) == sorted(
        (name, kind.status) for name, kind in BY_NAME.items()
    )
    assert {name: cause for _, name, cause in rows} == {name: CAUSES[name] for name in BY_NAME}


def test_every_field_of_a_problem_is_explained() -> None:
    text = (DOCS / "errors.md").read_text()
    fields = re.findall(r"`(\w+)`", "".join(re.findall(r"^\| (`.*?) \|", text[: text.index("## Retry")], re.MULTILINE)))
    assert set(fields) == {field.alias or name for name, field in Problem.model_fields.items()}

"""Identity/set: the identities in the settings of the account, which other apps change too."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from tests.jmap.clients import Jmap
from tests.jmap.conftest import OpenJmap
from tests.servers.dovecot import Dovecot

SETTINGS = "/v1/accounts/me/settings"
DEFAULTS = {"name": "", "replyTo": None, "bcc": None, "textSignature": "", "htmlSignature": ""}


@pytest.fixture
async def pop3(dovecot: Dovecot, open_jmap: OpenJmap) -> AsyncIterator[Jmap]:
    async with open_jmap(dovecot.user("jmap"), "pop3") as opened:
        yield opened


async def _identities(jmap: Jmap) -> dict[str, dict[str, Any]]:
    return {each["email"]: each for each in (await jmap.call("Identity/get", ids=None))["list"]}


async def _stored(jmap: Jmap) -> dict[str, Any]:
    return dict((await jmap.http.get(SETTINGS)).json()["settings"])


async def _store(jmap: Jmap, settings: dict[str, Any]) -> None:
    answer = await jmap.http.put(SETTINGS, json={"settings": settings}, headers={"If-None-Match": "*"})
    assert answer.status_code == 200, answer.text


async def _create(jmap: Jmap, **values: Any) -> dict[str, Any]:
    answer = await jmap.call("Identity/set", create={"new": values})
    assert answer["notCreated"] is None, answer
    return dict(answer["created"]["new"])


async def test_an_identity_is_created_changed_and_removed(jmap: Jmap) -> None:
    """And the API has the same ones. That of the login stays first."""
    login = jmap.session["username"]
    assert (await _identities(jmap))[login]["mayDelete"] is False
    new = await _create(jmap, email="ann@example.org", name="Ann")
    assert new == {"id": new["id"], "mayDelete": True, **{name: DEFAULTS[name] for name in DEFAULTS if name != "name"}}
    patch = {
        "name": "Ann B.",
        "replyTo": [{"name": None, "email": "reply@example.org"}],
        "bcc": [{"name": "Archive", "email": "archive@example.org"}],
        "textSignature": "-- \nAnn",
        "htmlSignature": "<p>Ann</p>",
    }
    answer = await jmap.call("Identity/set", update={new["id"]: patch})
    assert answer["updated"] == {new["id"]: None}
    expected = {"id": new["id"], "email": "ann@example.org", "mayDelete": True, **patch}
    assert list(await _identities(jmap)) == [login, "ann@example.org"]
    assert (await _identities(jmap))["ann@example.org"] == expected
    listed = (await jmap.http.get("/v1/accounts/me/identities")).json()["items"]
    assert [(each["id"], each["email"]) for each in listed] == [("login", login), (new["id"], "ann@example.org")]
    assert listed[1]["signature"] == {"text": "-- \nAnn", "html": "<p>Ann</p>"}
    reset = dict.fromkeys(DEFAULTS)
    assert (await jmap.call("Identity/set", update={new["id"]: reset}))["notUpdated"] is None
    assert (await _identities(jmap))["ann@example.org"] == {**expected, **DEFAULTS}
    assert (await jmap.call("Identity/set", destroy=[new["id"]]))["destroyed"] == [new["id"]]
    assert list(await _identities(jmap)) == [login]


async def test_what_apps_keep_beside_and_in_identities_stays(jmap: Jmap) -> None:
    mine = {"email": "ann@example.org", "color": "red", "signature": {"text": "x"}}
    await _store(jmap, {"theme": "dark", "identities": [mine]})
    [identity] = (await _identities(jmap)).values()
    await jmap.call("Identity/set", update={identity["id"]: {"name": "Ann", "textSignature": ""}})
    assert await _stored(jmap) == {
        "theme": "dark",
        "identities": [
            {"id": identity["id"], "email": "ann@example.org", "name": "Ann", "color": "red"},
        ],
    }


async def test_what_cannot_be_changed_says_why(jmap: Jmap) -> None:
    known = await _create(jmap, email="ann@example.org")
    answer = await jmap.call(
        "Identity/set",
        create={
            "none": {"name": "x"},
            "address": {"email": "x y@example.org"},
            "injected": {"email": "a@example.org\r\nBcc: b@example.org"},
            "unknown": {"email": "a@example.org", "colour": "red"},
            "fixed": {"email": "a@example.org", "mayDelete": False},
            "long": {"email": "a@example.org", "textSignature": "x" * (33 << 10)},
            "type": {"email": "a@example.org", "name": 5},
            "reply": {"email": "a@example.org", "replyTo": [{"name": "x"}]},
            "bcc": {"email": "a@example.org", "bcc": "a@example.org"},
        },
        update={
            "missing": {"name": "x"},
            known["id"]: {"email": "other@example.org"},
            "login": {"replyTo/0": {"email": "a@example.org"}},
        },
        destroy=["gone", "login"],
    )
    wrong = {key: (each["type"], each.get("properties")) for key, each in answer["notCreated"].items()}
    assert wrong == {
        "none": ("invalidProperties", ["email"]),
        "address": ("invalidProperties", ["email"]),
        "injected": ("invalidProperties", ["email"]),
        "unknown": ("invalidProperties", ["colour"]),
        "fixed": ("invalidProperties", ["mayDelete"]),
        "long": ("invalidProperties", ["textSignature"]),
        "type": ("invalidProperties", ["name"]),
        "reply": ("invalidProperties", ["replyTo"]),
        "bcc": ("invalidProperties", ["bcc"]),
    }
    refused = {**answer["notUpdated"], **answer["notDestroyed"]}
    assert {key: each["type"] for key, each in refused.items()} == {
        "missing": "notFound",
        known["id"]: "invalidProperties",
        "login": "forbidden",
        "gone": "notFound",
    }
    assert answer["notUpdated"]["login"]["type"] == "invalidPatch"
    assert answer["oldState"] == answer["newState"]
    same = {known["id"]: {"id": known["id"], "email": "ann@example.org", "mayDelete": True}}
    assert (await jmap.call("Identity/set", update=same))["notUpdated"] is None


async def test_settings_that_are_full_take_no_more(jmap: Jmap) -> None:
    """And of one call either all is stored or nothing."""
    await _store(jmap, {"much": "x" * (40 << 10)})
    small, large = {"email": "a@example.org"}, {"email": "b@example.org", "textSignature": "x" * (30 << 10)}
    before = await _identities(jmap)
    answer = await jmap.call("Identity/set", create={"small": small, "large": large})
    assert answer["created"] is None
    assert {each["type"] for each in answer["notCreated"].values()} == {"tooLarge"}
    assert await _identities(jmap) == before
    assert answer["newState"] == answer["oldState"]
    many = {str(number): {"email": f"a{number}@example.org"} for number in range(120)}
    answer = await jmap.call("Identity/set", create=many)
    assert {each["type"] for each in answer["notCreated"].values()} == {"overQuota"}
    assert len(await _identities(jmap)) == 100


async def test_the_state_tells_what_changed(jmap: Jmap) -> None:
    stays, goes = await _create(jmap, email="a@example.org"), await _create(jmap, email="b@example.org")
    since = (await jmap.call("Identity/get", ids=[]))["state"]
    answer = await jmap.call(
        "Identity/set",
        ifInState=since,
        create={"new": {"email": "c@example.org"}},
        update={stays["id"]: {"name": "A"}, "#new": {"name": "C"}},
        destroy=[goes["id"]],
    )
    new = answer["created"]["new"]["id"]
    assert answer["oldState"] == since
    changed = await jmap.call("Identity/changes", sinceState=since)
    assert changed["newState"] == answer["newState"] == (await jmap.call("Identity/get", ids=[]))["state"]
    assert (changed["created"], changed["updated"], changed["destroyed"]) == ([new], [stays["id"]], [goes["id"]])
    assert (await _identities(jmap))["c@example.org"]["name"] == "C"
    assert await jmap.error("Identity/changes", sinceState=since, maxChanges=2) == "cannotCalculateChanges"
    assert await jmap.error("Identity/set", ifInState=since, destroy=[new]) == "stateMismatch"
    mailboxes = (await jmap.call("Mailbox/get", ids=[]))["state"]
    forged = ("A" if since[0] != "A" else "B") + since[1:]
    for wrong in (mailboxes, "", "x", forged):
        assert await jmap.error("Identity/changes", sinceState=wrong) == "cannotCalculateChanges"


async def test_the_last_identity_may_go_and_the_login_is_what_is_left(jmap: Jmap) -> None:
    """Which the state does not hide: it came without being asked for."""
    await _store(jmap, {"identities": [{"id": "only", "email": "ann@example.org"}]})
    answer = await jmap.call("Identity/set", destroy=["only"])
    assert answer["destroyed"] == ["only"]
    assert list(await _identities(jmap)) == [jmap.session["username"]]
    assert (await jmap.call("Identity/changes", sinceState=answer["newState"]))["created"] == ["login"]


async def test_replicas_that_change_identities_at_once_lose_none(dovecot: Dovecot, open_jmap: OpenJmap) -> None:
    user = dovecot.user("jmap")
    async with open_jmap(user) as first, open_jmap(user) as second:
        await _create(first, email="zero@example.org")
        emails = [f"n{number}@example.org" for number in range(4)]
        work = [_create((first, second)[at % 2], email=email) for at, email in enumerate(emails)]
        await asyncio.gather(*work)
        for replica in (first, second):
            assert set(await _identities(replica)) == {user, "zero@example.org", *emails}


async def test_a_mailbox_without_settings_forbids_changes(pop3: Jmap) -> None:
    answer = await pop3.call(
        "Identity/set", create={"new": {"email": "a@example.org"}}, update={"login": {"name": "x"}}, destroy=["login"]
    )
    refused = [answer[f"not{name}"] for name in ("Created", "Updated", "Destroyed")]
    assert {each["type"] for errors in refused for each in errors.values()} == {"forbidden"}
    assert [each["mayDelete"] for each in (await _identities(pop3)).values()] == [False]

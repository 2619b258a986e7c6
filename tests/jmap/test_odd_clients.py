"""Clients that send what few others do: each record is answered, and nothing is lost or made up."""

import time
from typing import Any

import pytest

from service.jmap.core import known
from service.jmap.index import Index
from service.jmap.methods.snippets import MAX_PREVIEW, excerpt
from service.settings.model import Settings
from tests.jmap.clients import Jmap
from tests.jmap.conftest import KEY, signed_in
from tests.jmap.letters import MIXED, plain
from tests.servers.dovecot import Dovecot
from tests.servers.process import HOST
from tests.servers.proxy import passing
from tests.unheld import HELD, watched


@pytest.mark.parametrize(
    "parts",
    [
        {"bodyStructure": "x"},
        {"bodyStructure": 5},
        {"bodyStructure": {"subParts": 5}},
        {"bodyStructure": {"type": "multipart/mixed", "subParts": [5, "x"]}},
        {"attachments": "x"},
        {"attachments": {"a": 1}},
        {"attachments": [5]},
        {"attachments": [{"subParts": 7, "blobId": "x"}]},
    ],
)
async def test_parts_that_are_none_are_the_fault_of_their_email_alone(jmap: Jmap, parts: dict[str, Any]) -> None:
    inbox = {"mailboxIds": {await jmap.inbox(): True}}
    answer = await jmap.call("Email/set", create={"good": {**inbox, "subject": "x"}, "bad": {**inbox, **parts}})
    assert set(answer["created"]) == {"good"}
    assert answer["notCreated"]["bad"]["type"] == "invalidProperties"


async def test_a_field_is_not_written_twice_by_the_part_that_is_the_root(jmap: Jmap) -> None:
    """Else a second From would stand below the first."""
    text = {"partId": "1", "type": "text/plain"}
    record = {
        "mailboxIds": {await jmap.inbox(): True},
        "subject": "x",
        "from": [{"email": "ann@example.org"}],
        "bodyValues": {"1": {"value": "hi"}},
    }
    roots = [{"header:From": " other@example.org"}, {"header:subject:asText": "y"}]
    wrong = {
        str(number): {**record, **shape}
        for number, root in enumerate(roots)
        for shape in ({"bodyStructure": {**text, **root}}, {"textBody": [{**text, **root}]})
    }
    both = {**text, "language": ["de"], "header:Content-Language": " en"}
    answer = await jmap.call("Email/set", create={**wrong, "both": {**record, "bodyStructure": both}})
    assert {each["type"] for each in answer["notCreated"].values()} == {"invalidProperties"}
    assert answer["created"] is None
    alone = {**text, "header:From": " other@example.org", "header:Date": " Sun, 01 Mar 2026 13:00:00 +0100"}
    del record["from"]
    created = (await jmap.call("Email/set", create={"new": {**record, "bodyStructure": alone}}))["created"]["new"]
    source = (await jmap.download(created["blobId"])).text
    assert (source.count("From:"), source.count("Date:"), source.count("Message-ID:")) == (1, 1, 1)


async def test_a_text_keeps_its_name(jmap: Jmap) -> None:
    names = ["plan.txt", "Größe.txt", 'a"b.txt']
    attached = [{"partId": "1", "type": "text/plain", "name": name} for name in names]
    record = {"mailboxIds": {await jmap.inbox(): True}, "attachments": attached, "bodyValues": {"1": {"value": "hi"}}}
    email = (await jmap.call("Email/set", create={"new": record}))["created"]["new"]["id"]
    read = (await jmap.email(email, "attachments", bodyProperties=["name", "disposition"]))["attachments"]
    assert read == [{"name": name.replace('"', "_"), "disposition": "attachment"} for name in names]


async def test_whole_records_are_patches_too(jmap: Jmap) -> None:
    """RFC 8620, 5.3: what the server sets may be sent back as it is."""
    email = await jmap.imported(MIXED, await jmap.inbox())
    read = await jmap.email(email)
    seen = {**read, "keywords": {"$seen": True}}
    assert (await jmap.call("Email/set", update={email: seen}))["updated"] == {email: None}
    assert (await jmap.email(email, "keywords"))["keywords"] == {"$seen": True}
    wrong = {**seen, "subject": "other", "keywords": {}}
    assert (await jmap.call("Email/set", update={email: wrong}))["notUpdated"][email]["properties"] == ["subject"]
    assert (await jmap.email(email, "keywords"))["keywords"] == {"$seen": True}

    await jmap.create_mailbox("Old")
    mailbox = (await jmap.mailboxes())["Old"]
    renamed = {**mailbox, "name": "New"}
    assert (await jmap.call("Mailbox/set", update={mailbox["id"]: renamed}))["updated"] == {mailbox["id"]: None}
    wrong = {**renamed, "totalEmails": 5, "isSubscribed": 1}
    refused = (await jmap.call("Mailbox/set", update={mailbox["id"]: wrong}))["notUpdated"][mailbox["id"]]
    assert (refused["type"], refused["properties"]) == ("invalidProperties", ["totalEmails"])


async def test_a_record_named_twice_is_answered_twice(jmap: Jmap) -> None:
    """By its id and by its creation id: no change is passed over in silence."""
    record = {"mailboxIds": {await jmap.inbox(): True}, "subject": "x"}
    created = await jmap.call("Email/set", create={"new": record})
    email = created["created"]["new"]["id"]
    update = {"#new": {"keywords/a": True}, email: {"keywords/b": True}}
    call = ["Email/set", {"accountId": jmap.account, "update": update}, "0"]
    [[_, answer, _]] = (await jmap.post(call, createdIds={"new": email}))["methodResponses"]
    assert (answer["updated"], answer["notUpdated"][email]["type"]) == ({email: None}, "invalidPatch")
    assert (await jmap.email(email, "keywords"))["keywords"] == {"a": True}
    call = ["Email/set", {"accountId": jmap.account, "destroy": ["#new", email]}, "0"]
    [[_, answer, _]] = (await jmap.post(call, createdIds={"new": email}))["methodResponses"]
    assert (answer["destroyed"], answer["notDestroyed"]) == ([email], None)


async def test_the_folder_of_uploads_is_no_mailbox(jmap: Jmap) -> None:
    """A mailbox of its name would vanish, and be emptied after a day. Below another one it is a name like any other."""
    parent = await jmap.create_mailbox("Parent")
    for change in ({"create": {"a": {"name": "Casella uploads"}}}, {"update": {parent: {"name": "Casella uploads"}}}):
        answer = await jmap.call("Mailbox/set", **change)
        [refused] = (answer["notCreated"] or answer["notUpdated"]).values()
        assert refused["type"] == "invalidProperties"
    child = await jmap.create_mailbox("Casella uploads", parentId=parent)
    await jmap.upload(b"x")
    listed = {each["id"]: each for each in (await jmap.call("Mailbox/get", ids=None))["list"]}
    assert listed[child]["totalEmails"] == 0
    assert [each["name"] for each in listed.values()].count("Casella uploads") == 1


@pytest.mark.parametrize("year", ["0001-01-01T00:00:00Z", "1900-01-01T00:00:00Z", "9999-12-31T23:59:59Z"])
async def test_the_first_and_the_last_day_are_days(jmap: Jmap, year: str) -> None:
    email = await jmap.imported(plain("x"), await jmap.inbox())
    is_last = year.startswith("9999")
    assert await jmap.query(filter={"before": year}) == ([email] if is_last else [])
    assert await jmap.query(filter={"after": year}) == ([] if is_last else [email])


async def test_ranges_of_a_large_blob_are_read(jmap: Jmap) -> None:
    """Larger than what is read at once."""
    blob = await jmap.upload(b"0123456789abcdef" * (5 << 16))
    asked = {"ids": [blob], "properties": ["data:asText", "size"]}
    for offset, length, text in ((16, 4, "0123"), ((5 << 20) - 2, 5, "ef"), (6 << 20, None, ""), (3, 0, "")):
        [read] = (await jmap.call("Blob/get", **asked, offset=offset, length=length))["list"]
        assert (read["data:asText"], read["size"]) == (text, 5 << 20)
        assert read.get("isTruncated", False) is (offset + (length or 0) > 5 << 20)
    [sized] = (await jmap.call("Blob/get", ids=[blob], properties=["size"]))["list"]
    assert sized == {"id": blob, "size": 5 << 20}
    assert await jmap.error("Blob/get", **asked) == "requestTooLarge"
    data = [{"blobId": blob, "offset": 16, "length": 4}, {"blobId": blob, "offset": 26, "length": 2}]
    made = (await jmap.call("Blob/upload", create={"new": {"data": data}}))["created"]["new"]["id"]
    assert (await jmap.download(made)).content == b"0123ab"
    beyond = [{"blobId": blob, "offset": 5 << 20, "length": 1}]
    refused = (await jmap.call("Blob/upload", create={"new": {"data": beyond}}))["notCreated"]["new"]
    assert refused["type"] == "invalidProperties"


async def test_bodies_of_as_many_emails_as_the_session_says(jmap: Jmap, dovecot: Dovecot) -> None:
    most = jmap.session["capabilities"]["urn:ietf:params:jmap:core"]["maxObjectsInGet"]
    dovecot.seed(jmap.session["username"], [(plain(f"m{number}"), (), None) for number in range(most)])
    ids = await jmap.query(limit=most)
    assert len((await jmap.call("Email/get", ids=ids))["list"]) == most == 500


async def test_an_email_is_in_as_many_mailboxes_as_the_session_says(jmap: Jmap) -> None:
    [account] = jmap.session["accounts"].values()
    most = account["accountCapabilities"]["urn:ietf:params:jmap:mail"]["maxMailboxesPerEmail"]
    record = {"mailboxIds": {f"x{number}": True for number in range(most + 1)}}
    answer = await jmap.call("Email/set", create={"new": record})
    assert answer["notCreated"]["new"]["type"] == "tooManyMailboxes"


async def test_nothing_changed_is_known_of_any_number_of_mailboxes(jmap: Jmap, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of more than a state can name: about 350 Mailboxes take 5,000 octets."""
    monkeypatch.setattr(known, "MAX_STATE", 50)
    state = (await jmap.call("Mailbox/get", ids=[]))["state"]
    changes = await jmap.call("Mailbox/changes", sinceState=state)
    assert (changes["created"], changes["updated"], changes["destroyed"]) == ([], [], [])
    await jmap.create_mailbox("One more")
    assert await jmap.error("Mailbox/changes", sinceState=state) == "cannotCalculateChanges"


async def test_a_change_whose_state_cannot_be_read_is_not_to_be_repeated(dovecot: Dovecot) -> None:
    """The connection ends behind the first change, and the server is away."""
    user = dovecot.user("partial")
    dovecot.seed(user, [(plain("x"), (), None)])
    begun, is_away = False, False

    async def fate(octets: bytes) -> tuple[bytes, bool]:
        nonlocal begun, is_away
        if is_away:
            return b"", False
        begun = begun or b"STORE" in octets
        is_away = begun and b" OK" in octets
        return octets, True

    async with passing(dovecot.ports.imap) as proxy:
        place = {"host": HOST, "port": proxy.port, "security": "none"}
        settings = Settings(servers={"home": {"imap": place}}, default_server="home", secret_keys=KEY)
        async with signed_in(settings, user) as jmap:
            [email] = await jmap.query()
            proxy.fate = fate
            assert await jmap.error("Email/set", update={email: {"keywords/a": True}}) == "serverPartialFail"
            proxy.fate = _unharmed
            assert (await jmap.email(email, "keywords"))["keywords"] == {"a": True}


async def _unharmed(octets: bytes) -> tuple[bytes, bool]:
    return octets, True


async def test_many_new_emails_are_reported_in_linear_time(jmap: Jmap, dovecot: Dovecot) -> None:
    state = (await jmap.call("Email/get", ids=[]))["state"]
    dovecot.seed(jmap.session["username"], [(plain(f"m{number}"), (), None) for number in range(6000)])
    async with watched() as watch:
        changes = await jmap.call("Email/changes", sinceState=state)
    assert len(changes["created"]) == 6000
    assert watch.longest < HELD


def test_an_email_with_thousands_of_copies_costs_no_more_than_others() -> None:
    index, began = Index(), time.thread_time()
    for number in range(30_000):
        index.note("account", f"m_{number}", "g_one")
    assert len(index.places_of("account", ["g_one"])["g_one"]) == 30_000
    for number in range(30_000):
        index.drop("account", f"m_{number}")
    assert index.places_of("account", ["g_one"]) == {"g_one": ()}
    assert time.thread_time() - began < 2


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("ы" * 1000, ["ыы"]),
        ('"' * 1000 + "x" * 3000, ["x" * 1000]),
        ("&" * 100 + "cat" + "&" * 100, ["cat"]),
        ("😀" * 100 + "cat", ["cat"]),
        ("İ" * 100 + "CAT " + "<b>" * 100, ["cat"]),
    ],
)
def test_a_snippet_is_short_and_whole(text: str, words: list[str]) -> None:
    """RFC 8621, 5: at most 255 octets, however many a character or an escape takes."""
    shown = excerpt(text, words)
    assert shown is not None
    assert len(shown.encode()) <= MAX_PREVIEW
    assert shown.count("<mark>") == shown.count("</mark>") == 1
    assert "<b" not in shown


def test_snippets_take_linear_time() -> None:
    """By many long words that are nearly there, at each place of a long text."""
    began = time.thread_time()
    words = [("a" if number % 2 else "ab") * 400 + str(number) for number in range(32)]
    for text in ("a" * (64 << 10), "ab" * (32 << 10)):
        for _ in range(20):
            assert excerpt(text, words) is None
    assert time.thread_time() - began < 2


async def test_attachments_are_as_large_as_the_session_says(dovecot: Dovecot) -> None:
    """All parts together: one blob that is attached a thousand times would fill a disk."""
    place = {"host": HOST, "port": dovecot.ports.imap, "security": "none"}
    most = 100 << 10
    home = {"home": {"imap": place}}
    settings = Settings(servers=home, default_server="home", secret_keys=KEY, max_message_octets=most)
    async with signed_in(settings, dovecot.user("attachments")) as jmap:
        [account] = jmap.session["accounts"].values()
        assert account["accountCapabilities"]["urn:ietf:params:jmap:mail"]["maxSizeAttachmentsPerEmail"] == most
        half, whole = await jmap.upload(b"x" * (most // 2)), await jmap.upload(b"y" * most)
        more, nothing = await jmap.upload(b"z" * (most // 2 + 1)), await jmap.upload(b"")
        record = {"mailboxIds": {await jmap.inbox(): True}}
        emails = {"halves": [half, half], "whole": [whole, nothing], "more": [half, more], "many": [half] * 200}
        answer = await jmap.call(
            "Email/set",
            create={key: {**record, "attachments": [{"blobId": each} for each in of]} for key, of in emails.items()},
        )
        assert set(answer["created"]) == {"halves", "whole"}
        assert {key: each["type"] for key, each in answer["notCreated"].items()} == {
            "more": "tooLarge",
            "many": "tooLarge",
        }
        parts = (await jmap.email(answer["created"]["whole"]["id"], "attachments"))["attachments"]
        again = {**record, "attachments": [{"blobId": parts[0]["blobId"]}, {"blobId": parts[0]["blobId"]}]}
        refused = await jmap.call("Email/set", create={"again": again})
        assert refused["notCreated"]["again"]["type"] == "tooLarge"

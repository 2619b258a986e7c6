"""JMAP on mailboxes that can do less: by POP3, and on disk."""

from pathlib import Path

from service.settings.model import Settings
from tests.adapters.maildir.post import PASSWORD, Post
from tests.jmap.conftest import OpenJmap, signed_in
from tests.jmap.letters import MIXED, plain
from tests.servers.dovecot import Dovecot


async def test_a_maildrop_is_listed_and_read(open_jmap: OpenJmap, dovecot: Dovecot) -> None:
    user = dovecot.user("drop")
    dovecot.seed(user, [(plain("first"), (), None), (MIXED, (), None)])
    async with open_jmap(user, "pop3") as jmap:
        [mailbox] = (await jmap.call("Mailbox/get", ids=None))["list"]
        assert (mailbox["role"], mailbox["totalEmails"]) == ("inbox", 2)
        assert mailbox["myRights"]["mayAddItems"] is False
        assert mailbox["myRights"]["mayCreateChild"] is False
        assert jmap.session["accounts"][jmap.account]["isReadOnly"] is True
        newest, oldest = await jmap.query(filter={"inMailbox": mailbox["id"]})
        read = await jmap.email(newest, "subject", "threadId", "attachments", "mailboxIds", "preview")
        assert read["subject"] == "Grüße"
        assert read["mailboxIds"] == {mailbox["id"]: True}
        assert (await jmap.download(read["attachments"][0]["blobId"])).content == b"%PDF-1.4\n"
        assert (await jmap.call("Thread/get", ids=[read["threadId"]]))["list"] == [
            {"id": read["threadId"], "emailIds": [newest]}
        ]
        answer = await jmap.call(
            "Email/set", update={oldest: {"keywords/$seen": True}}, create={"x": {"mailboxIds": {mailbox["id"]: True}}}
        )
        assert answer["notUpdated"][oldest]["type"] == "forbidden"
        assert answer["notCreated"]["x"]["type"] == "forbidden"
        assert (await jmap.call("Email/set", destroy=[oldest]))["destroyed"] == [oldest]
        assert await jmap.query() == [newest]
        url = jmap.session["uploadUrl"].replace("{accountId}", jmap.account)
        assert (await jmap.http.post(url, content=b"x")).status_code == 501


async def test_a_mailbox_on_disk_is_written_too(tmp_path: Path) -> None:
    """Without permanent ids: a message that was moved is another Email, and the changes say so."""
    post = Post(tmp_path)
    user = post.user("ann@example.org")
    place = {"path": f"{post.folder}/{{user}}/Maildir", "passwords": post.passwords}
    async with signed_in(Settings(servers={"home": {"maildir": place}}, default_server="home"), user, PASSWORD) as jmap:
        inbox, other = await jmap.inbox(), await jmap.create_mailbox("Other")
        email = await jmap.imported(plain("x"), inbox, keywords={"$flagged": True})
        state = (await jmap.call("Email/get", ids=[]))["state"]
        assert await jmap.query(filter={"hasKeyword": "$flagged"}) == [email]
        await jmap.call("Email/set", update={email: {"mailboxIds": {other: True}, "keywords/$seen": True}})
        [moved] = await jmap.query()
        assert moved != email
        assert await jmap.email(moved, "mailboxIds", "keywords") == {
            "id": moved, "mailboxIds": {other: True}, "keywords": {"$flagged": True, "$seen": True},
        }  # fmt: skip
        changes = await jmap.call("Email/changes", sinceState=state)
        assert (changes["created"], changes["updated"], changes["destroyed"]) == ([moved], [], [email])
        assert await jmap.error("Email/query", collapseThreads=True) == "unsupportedSort"
        thread = (await jmap.email(moved, "threadId"))["threadId"]
        assert (await jmap.call("Thread/get", ids=[thread]))["list"] == [{"id": thread, "emailIds": [moved]}]

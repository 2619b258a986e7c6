"""JMAP on mailboxes that can do less: by POP3."""

from tests.jmap.conftest import OpenJmap
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

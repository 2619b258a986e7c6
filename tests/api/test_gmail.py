"""What Gmail adds to rows and messages, as a client of the API sees it."""

from tests.api.served import ME, served
from tests.servers.providers.gmail import ALL, Gmail, mailbox
from tests.servers.providers.mail import Letter
from tests.servers.scripted import ScriptedServer


async def test_labels_are_in_rows_and_messages() -> None:
    """R-IMAP-73: in lists, searches, messages by id and a message; ``fields`` names them."""
    mail = mailbox()
    mail.deliver(Letter("hello", labels=["\\Inbox", "\\Important", "Übung"]), "INBOX", ALL)
    labels = ["\\Important", "Übung"]
    async with ScriptedServer(lambda _: [Gmail(mail)]) as server, served(server) as app:
        inbox = f"{ME}/folders/inbox/messages"
        [row] = (await app.client.get(inbox)).json()["items"]
        assert row["labels"] == labels
        [named] = (await app.client.get(inbox, params={"fields": "labels"})).json()["items"]
        assert named == {"id": row["id"], "folderId": row["folderId"], "labels": labels}
        [found] = (await app.client.get(f"{ME}/messages", params={"id": row["id"]})).json()["items"]
        assert found["labels"] == labels
        assert (await app.client.get(f"{ME}/messages/{row['id']}")).json()["labels"] == labels
        searched = await app.client.post(f"{ME}/search", json={"filter": {"subject": "hello"}})
        assert [each["folderId"] for each in searched.json()["items"]] == [row["folderId"]]

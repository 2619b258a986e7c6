"""A message that nests deeper than is read, between others."""

from tests.api.conftest import Connect, mail
from tests.corpus import LETTERS
from tests.servers.dovecot import Dovecot

ME = "/v1/accounts/me"


async def test_a_message_that_nests_without_end_costs_others_nothing(connect: Connect, dovecot: Dovecot) -> None:
    """R-IMAP-16, R-MIME-04: it is in the list and so are they; it is read as far as that goes, and so are its parts."""
    user = dovecot.user()
    for source in (mail("before"), LETTERS["nested-without-end"].octets, mail("after")):
        dovecot.append(user, source)
    async with connect(user) as client:
        listed = await client.get(f"{ME}/folders/inbox/messages")
        assert listed.status_code == 200, listed.text
        after, deep, before = listed.json()["items"]
        assert (before["subject"], deep["subject"], after["subject"]) == ("before", "nested-without-end", "after")
        message = (await client.get(f"{ME}/messages/{deep['id']}")).json()
        assert "structure-truncated" in message["body"]["warnings"]
        inner = message["structure"]["parts"][0]["parts"][0]
        part = await client.get(f"{ME}/messages/{deep['id']}/parts/{inner['id']}")
        assert part.status_code == 200
        assert part.content.startswith(b"--d1\r\n")
        middle = await client.get(part.request.url, headers={"Range": "bytes=2-3"})
        assert (middle.status_code, middle.content) == (206, b"d1")
        assert (await client.get(f"{ME}/messages/{deep['id']}/parts/2")).status_code == 404
        hits = await client.post(f"{ME}/search", json={"filter": {"hasAttachment": False}})
        assert hits.status_code == 200

"""People by HTTP, and the round trips that typing costs."""

from service.accounts.credentials import Credentials
from service.accounts.servers import Endpoint, Security
from service.adapters.imap.backend import ImapBackend
from service.mail.model import Protocol
from service.personal.people import People
from tests.api.conftest import Connect
from tests.servers.dovecot import PASSWORD, Dovecot
from tests.servers.process import HOST
from tests.servers.proxy import passing

PEOPLE = "/v1/accounts/me/people"


def letter(sender: str, to: str, cc: str = "dan@example.org") -> bytes:
    return f"From: {sender}\r\nTo: {to}\r\nCc: {cc}\r\nSubject: x\r\n\r\nx\r\n".encode()


def filled(dovecot: Dovecot) -> str:
    """A user with a little mail, also by an address of the settings."""
    user = dovecot.user()
    dovecot.seed(user, [(letter("=?utf-8?q?Zo=C3=AB?= <zoe@example.org>", user), (), None)])
    sent = [(letter(user, "Ben <ben@example.org>, alias@example.org"), (), None)] * 2
    dovecot.seed(user, sent, "Sent")
    return user


async def test_addresses_are_completed(connect: Connect, dovecot: Dovecot) -> None:
    user = filled(dovecot)
    async with connect(user) as client:
        settings = {"settings": {"identities": [{"email": "alias@example.org"}]}}
        await client.put("/v1/accounts/me/settings", json=settings, headers={"If-None-Match": "*"})
        items = (await client.get(PEOPLE)).json()["items"]
        assert {item["email"] for item in items[:2]} == {"ben@example.org", "dan@example.org"}
        assert [item["email"] for item in items[2:]] == ["zoe@example.org"]
        assert items[2].keys() == {"name", "email", "count", "lastAt"}
        assert {item["count"] for item in items[:2]} == {2}
        for query, expected in (("ZOE", ["zoe@example.org"]), ("be", ["ben@example.org"]), ("nobody", [])):
            found = (await client.get(PEOPLE, params={"q": query})).json()["items"]
            assert [item["email"] for item in found] == expected
        assert len((await client.get(PEOPLE, params={"limit": 1})).json()["items"]) == 1
        for wrong in ({"limit": 0}, {"limit": 101}, {"q": "x" * 201}):
            assert (await client.get(PEOPLE, params=wrong)).status_code == 422


async def test_a_maildrop_knows_who_wrote(connect: Connect, dovecot: Dovecot) -> None:
    user = filled(dovecot)
    async with connect(user, Casella_Protocol="pop3") as client:
        answer = await client.get(PEOPLE, params={"q": "zo"})
        assert answer.status_code == 200, answer.text
        assert [item["email"] for item in answer.json()["items"]] == ["zoe@example.org"]


async def test_typing_costs_no_round_trips(dovecot: Dovecot) -> None:
    user = filled(dovecot)
    async with passing(dovecot.ports.imap) as proxy:
        endpoint = Endpoint(HOST, proxy.port, Security.NONE)
        mailbox = ImapBackend(endpoint, Credentials("home", Protocol.IMAP, user, PASSWORD))
        people = People()
        costs = []
        for text in ("", "n", "ni", "nix", "nixo", "ben"):
            before = proxy.round_trips
            await people.find(mailbox, text, 1)
            costs.append(proxy.round_trips - before)
        await mailbox.aclose()
    assert costs[1] == costs[3] == costs[4] == costs[5] == 0, costs
    assert 0 < costs[2] <= 4, costs

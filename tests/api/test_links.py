"""Images of a mail as links that open without signing in, and nothing else."""

import re
from datetime import UTC, datetime, timedelta

import httpx
import pytest

from service.accounts.credentials import Credentials
from service.accounts.revocation import TokenId
from service.accounts.tokens import PART_LINK_SECONDS, Sessions
from service.mail.errors import Unauthenticated
from service.mail.model import Protocol
from tests.api.conftest import Connect, settings_for
from tests.servers.dovecot import Dovecot

ME = "/v1/accounts/me"
PNG = b"\x89PNG\r\n\x1a\n" + bytes(range(40))
MAIL = (
    b"From: ann@example.org\r\nSubject: image\r\nMIME-Version: 1.0\r\nContent-Type: multipart/related; boundary=b\r\n\r\n"
    b"--b\r\nContent-Type: text/html; charset=utf-8\r\n\r\n"
    b'<p>See <img src="cid:logo&amp;1@x" alt="l"> <img src="CID:logo%261@x"> <img src="cid:other"></p>\r\n'
    b"--b\r\nContent-Type: image/png\r\nContent-ID: <logo&1@x>\r\nContent-Transfer-Encoding: base64\r\n\r\n"
    + __import__("base64").encodebytes(PNG).replace(b"\n", b"\r\n")
    + b"--b\r\nContent-Type: application/pdf\r\nContent-Disposition: attachment; filename=a.pdf\r\n\r\nPDF\r\n--b--\r\n"
)


async def test_an_image_of_the_mail_opens_by_its_link_alone(connect: Connect, dovecot: Dovecot) -> None:
    user = dovecot.user()
    dovecot.append(user, MAIL)
    async with connect(user) as client:
        row = (await client.get(f"{ME}/folders/inbox/messages")).json()["items"][0]
        html = (await client.get(f"{ME}/messages/{row['id']}")).json()["body"]["html"]
        links = [link.replace("&amp;", "&") for link in re.findall(r'src="(http[^"]*)"', html)]
        assert len(links) == 2
        assert links[0] == links[1]
        assert 'src="cid:other"' in html
        original = (await client.get(f"{ME}/messages/{row['id']}?html=original")).json()["body"]["html"]
        assert "ticket" not in original
        client.auth = httpx.Auth()  # sends nothing
        image = await client.get(links[0])
        assert (image.status_code, image.content) == (200, PNG)
        assert image.headers["content-type"] == "image/png"
        assert image.headers["content-disposition"].startswith("inline")
        assert image.headers["cross-origin-resource-policy"] == "cross-origin"
        ticket = links[0].rpartition("ticket=")[2]
        for path in (
            f"messages/{row['id']}/parts/3?ticket={ticket}", f"messages/{row['id']}/source?ticket={ticket}",
            f"messages/{row['id']}?ticket={ticket}", f"messages/{row['id']}/parts/2?ticket={ticket[:-3]}AAA",
            f"messages/m_other/parts/2?ticket={ticket}", f"messages/{row['id']}/parts/2",
        ):  # fmt: skip
            assert (await client.get(f"{ME}/{path}")).status_code == 401, path
        for token in (ticket, "x" * 100):
            answer = await client.get(ME, headers={"Authorization": f"Bearer {token}"})
            assert answer.status_code == 401


async def test_a_message_with_links_is_sent_again_because_links_end(connect: Connect, dovecot: Dovecot) -> None:
    """R-HTTP-37: 304 would leave a client with images that no longer open, until somebody changes a flag."""
    user = dovecot.user()
    for letter in (MAIL, b"Subject: plain\r\n\r\nx\r\n"):
        dovecot.append(user, letter)
    async with connect(user) as client:
        plain, linked = (await client.get(f"{ME}/folders/inbox/messages")).json()["items"]
        for row, query, status in ((plain, "", 304), (linked, "", 200), (linked, "?html=none", 304)):
            first = await client.get(f"{ME}/messages/{row['id']}{query}")
            again = await client.get(
                f"{ME}/messages/{row['id']}{query}", headers={"If-None-Match": first.headers["etag"]}
            )
            assert (again.status_code, again.headers["etag"]) == (status, first.headers["etag"]), row
            assert again.content == (first.content if status == 200 else b"")
        flags = await client.get(f"{ME}/messages/{linked['id']}/flags")
        assert flags.headers["etag"] == first.headers["etag"]


async def test_links_stay_the_same_and_open_what_they_name(connect: Connect, dovecot: Dovecot) -> None:
    """So that a client's cache holds; a message that is opened again shows the same links, from any replica."""
    user = dovecot.user()
    dovecot.append(user, MAIL)
    keys = settings_for(dovecot)
    async with connect(user, settings=keys) as client, connect(user, settings=keys) as another:
        row = (await client.get(f"{ME}/folders/inbox/messages")).json()["items"][0]
        bodies = [
            (await each.get(f"{ME}/messages/{row['id']}")).json()["body"]["html"] for each in (client, client, another)
        ]
        tickets = [
            (await each.get(f"{ME}/messages/{row['id']}/parts/3/ticket", params=query)).json()
            for each in (client, another)
            for query in ({}, {"inline": "true"})
        ]
        part = (await client.get(f"{ME}/messages/{row['id']}/parts/9/ticket")).json()
        client.auth = httpx.Auth()  # sends nothing
        attachment = await client.get(tickets[0]["url"])
        assert (attachment.status_code, attachment.content) == (200, b"PDF")
        assert attachment.headers["content-disposition"].startswith("attachment")
        assert (await client.get(part["url"])).status_code == 404
        assert (await client.get(f"{ME}/messages/{row['id']}/parts/3/ticket")).status_code == 401
    midnight = datetime.now(UTC).date()  # a run across midnight has two kinds of links
    if all(midnight == datetime.fromisoformat(each["expiresAt"]).date() - timedelta(1) for each in tickets):
        assert len(set(bodies)) == 1
        assert tickets[:2] == tickets[2:]
    assert tickets[0]["url"] != tickets[1]["url"]


async def test_parts_say_how_much_is_in_them(connect: Connect, dovecot: Dovecot) -> None:
    user = dovecot.user()
    dovecot.append(user, MAIL)
    async with connect(user) as client:
        row = (await client.get(f"{ME}/folders/inbox/messages")).json()["items"][0]
        message = (await client.get(f"{ME}/messages/{row['id']}")).json()
        html, image, pdf = message["structure"]["parts"]
        assert html["decodedSize"] == html["size"]
        assert "decodedSize" not in image
        assert pdf["decodedSize"] == 3
        assert pdf in message["attachments"]


def test_a_ticket_ends_with_its_day() -> None:
    sessions, credentials = Sessions([b"k" * 32], 1000), Credentials("home", Protocol.IMAP, "u", "p")
    day = 86400
    ticket = sessions.seal_part_link(credentials, "m", "2", now=1000)
    end = day + PART_LINK_SECONDS
    assert sessions.open_part_link(ticket, "m", "2", now=end - 1) == credentials
    for message, part, now in (("m", "2", end), ("m", "3", 1000), ("n", "2", 1000)):
        with pytest.raises(Unauthenticated):
            sessions.open_part_link(ticket, message, part, now=now)
    token, _ = sessions.seal(credentials)
    with pytest.raises(Unauthenticated):
        sessions.open_part_link(token, "m", "2")


def test_tickets_are_alike_on_one_day_and_for_one_part_only() -> None:
    """No two tickets share an initialization vector, and other keys make other tickets."""
    one, two, other = Sessions([b"k" * 32], 1000), Sessions([b"k" * 32, b"j" * 32], 1000), Sessions([b"j" * 32], 1000)
    credentials = Credentials("home", Protocol.IMAP, "u", "p")
    session = TokenId("s", 10 * 86400)
    made = {
        (name, part, now, of): sessions.seal_part_link(credentials, "m", part, now=now, of=of)
        for name, sessions in (("one", one), ("two", two), ("other", other))
        for part in ("2", "3")
        for now in (0, 86399, 86400)
        for of in (None, session)
    }
    assert len(set(made.values())) == 16
    assert len({ticket.split(".")[2] for ticket in made.values()}) == 16
    assert made["one", "2", 0, None] == made["two", "2", 86399, None] != made["one", "2", 86400, None]
    assert other.open_part_link(made["other", "2", 0, None], "m", "2", now=0) == credentials
    assert two.open_part_link(made["other", "2", 0, None], "m", "2", now=0) == credentials

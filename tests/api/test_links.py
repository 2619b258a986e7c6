"""Images of a mail as links that open without signing in, and nothing else."""

import re

import httpx

from tests.api.conftest import Connect
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


def test_a_ticket_ends() -> None:
    import pytest

    from service.accounts.credentials import Credentials
    from service.accounts.tokens import PART_LINK_SECONDS, Sessions
    from service.mail.errors import Unauthenticated
    from service.mail.model import Protocol

    sessions = Sessions([b"k" * 32], 1000)
    credentials = Credentials("home", Protocol.IMAP, "u", "p")
    ticket = sessions.seal_part_link(credentials, "m", "2", now=1000)
    assert sessions.open_part_link(ticket, "m", "2", now=1000 + PART_LINK_SECONDS - 1) == credentials
    for message, part, now in (("m", "2", 1000 + PART_LINK_SECONDS), ("m", "3", 1000), ("n", "2", 1000)):
        with pytest.raises(Unauthenticated):
            sessions.open_part_link(ticket, message, part, now=now)
    token, _ = sessions.seal(credentials)
    with pytest.raises(Unauthenticated):
        sessions.open_part_link(token, "m", "2")

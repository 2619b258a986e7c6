"""Every message of the corpus through every read route, as stored by a real server."""

import os
from pathlib import Path

import pytest

from tests.api.conftest import Connect
from tests.servers.dovecot import Dovecot

CORPUS = Path(os.environ.get("CASELLA_CORPUS", Path(__file__).parents[3] / "shared" / "corpus"))
MAIL = {".eml", ".msg", ".txt", ".mbox", ""}
ME = "/v1/accounts/me"
BATCHES = 8


def messages() -> list[Path]:
    """Files that are mail, as their ending says; expected results lie beside them."""
    files = sorted(path for path in CORPUS.rglob("*") if path.is_file() and path.suffix in MAIL)
    return [
        path
        for path in files
        if "_decoded" not in path.name and path.name not in {"LICENSE", "NOTICE", "COPYING", ".gitattributes"}
    ]


@pytest.mark.skipif(not CORPUS.is_dir(), reason=f"no corpus at {CORPUS}: set CASELLA_CORPUS")
@pytest.mark.parametrize("batch", range(BATCHES))
@pytest.mark.parametrize("protocol", ["imap", "pop3"])
async def test_no_message_of_the_corpus_breaks_a_read_route(
    connect: Connect, dovecot: Dovecot, batch: int, protocol: str
) -> None:
    """R-MIME-01, R-MIME-21: no 5xx, and the source as the server has it."""
    files = messages()[batch::BATCHES]
    assert files
    user = dovecot.user()
    with dovecot.connect(user) as other:
        stored = [other.append("INBOX", "", "", path.read_bytes())[0] for path in files if path.stat().st_size]
    async with connect(user, Casella_Protocol=protocol) as client:
        page = (await client.get(f"{ME}/folders/inbox/messages", params={"limit": 200})).json()
        assert len(page["items"]) == stored.count("OK")
        for item in page["items"]:
            at = f"{ME}/messages/{item['id']}"
            message = await client.get(at)
            assert message.status_code == 200, (item, message.text)
            answers = [
                await client.get(f"{at}{path}") for path in ("?html=original", "?html=none", "/headers", "/source")
            ]
            parts = [message.json()["structure"]]
            while parts:
                part = parts.pop()
                parts += part.get("parts", [])
                answers.append(await client.get(f"{at}/parts/{part['id']}"))
                answers.append(await client.get(f"{at}/parts/{part['id']}", params={"encoded": "true"}))
            assert [answer.status_code for answer in answers] == [200] * len(answers), (
                item,
                [a.text for a in answers if a.status_code != 200],
            )

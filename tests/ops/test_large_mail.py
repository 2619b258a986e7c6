"""Large mail is opened while the same process serves other requests."""

import asyncio
import logging
import re

import httpx
import pytest

from tests.bench.pressure import attached, dense, wide
from tests.contract.letters import plain
from tests.deploy.replica import Replica, environment
from tests.servers.dovecot import PASSWORD, Dovecot

pytestmark = pytest.mark.dovecot
OCTETS = 25_000_000
OTHERS = 5
AT_LEAST = 20
"""Small requests that are served while the large ones are."""
LAG_SECONDS = 1.0
ME = "/v1/accounts/me"
_log = logging.getLogger(__name__)


def lag(metrics: str) -> float:
    """The worst delay of the event loop in the last ten seconds."""
    found = re.search(r"^casella_loop_lag_seconds (\S+)$", metrics, re.MULTILINE)
    assert found is not None
    return float(found[1])


@pytest.mark.parametrize("protocol", ["imap", "pop3"])
async def test_others_are_served_while_large_mail_is_opened(protocol: str, dovecot: Dovecot) -> None:
    """R-OPS-12: 25 MB in one attachment, in one text of HTML, and in ten thousand parts. By POP3 they are
    parsed as a whole, in a separate process; by IMAP the one whose structure has too many parts to be read."""
    spoken = {"Casella-Protocol": protocol}
    large, *small = (dovecot.user() for _ in range(1 + OTHERS))
    dovecot.seed(large, [(make(OCTETS), (), None) for make in (dense, wide, lambda size: attached(b"attached", size))])
    for user in small:
        dovecot.seed(user, [(plain("small"), (), None)])
    served = 0
    async with (
        Replica(environment(dovecot)) as replica,
        httpx.AsyncClient(base_url=replica.url, timeout=60) as client,
    ):
        listed = await client.get(f"{ME}/folders/inbox/messages", auth=(large, PASSWORD), headers=spoken)
        assert listed.status_code == 200, listed.text
        rows = listed.json()["items"]
        assert len(rows) == 3

        async def others(user: str) -> None:
            nonlocal served
            while not opened.done():
                answer = await client.get(f"{ME}/folders/inbox/messages", auth=(user, PASSWORD))
                assert answer.json()["total"] == 1
                served += not opened.done()

        async def opening() -> None:
            for row in rows:
                answer = await client.get(f"{ME}/messages/{row['id']}", auth=(large, PASSWORD), headers=spoken)
                assert answer.status_code == 200
                assert answer.json()["size"] > OCTETS * 0.9

        opened = asyncio.create_task(opening())
        await asyncio.gather(opened, *map(others, small))
        measured = (await client.get(replica.metrics_url)).text
    late, is_caged = lag(measured), 'queue="cage"' in measured
    _log.info("%d small requests meanwhile, the event loop %.3f s late at worst", served, late)
    assert served >= AT_LEAST
    assert late < LAG_SECONDS
    assert is_caged

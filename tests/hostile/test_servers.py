"""Nothing that a mail server says holds up anybody else."""

from collections.abc import Callable
from typing import Final

import pytest

from tests.hostile import answers
from tests.hostile.answers import Case
from tests.hostile.harness import Found, Harness, harness

STALL_MS: Final = 50.0
"""CPU time of the event loop's thread between two of its turns."""
GROWTH_MB: Final = 32.0
TRIES: Final = 3
OTHERS_MS: Final = 5000.0
"""Others are served within a tenth of a second, which a machine under load need not keep; without slices they waited
ten to eighty seconds."""
FAMILIES: dict[str, Callable[[], list[Case]]] = {
    "lists": answers.lists,
    "counts": answers.counts,
    "searches": answers.searches,
    "rows": answers.rows,
    "sessions": answers.sessions,
    "news": answers.news,
}


@pytest.mark.parametrize("family", FAMILIES)
async def test_no_answer_of_a_mail_server_holds_up_others(family: str) -> None:
    """R-IMAP-30, R-IMAP-32, R-IMAP-33, R-IMAP-34: held in a whole service, while another account lists and /healthz is
    asked. An answer that is over a bound is given again, twice at most: other processes share the caches of a core."""
    async with harness() as service:
        found = [await _measured(service, case) for case in FAMILIES[family]()]
    assert not [str(one) for one in found if _is_over(one)]


async def _measured(service: Harness, case: Case) -> Found:
    for _ in range(TRIES):
        found = await service.run(case)
        if not _is_over(found):
            break
    return found


def _is_over(found: Found) -> bool:
    refused = {0, 500} & {*found.statuses}
    waits = max(found.neighbour, found.healthz)
    return bool(refused) or found.stall > STALL_MS or found.growth > GROWTH_MB or waits > OTHERS_MS

"""A short run of what `make fuzz` does for longer."""

import re

import pytest

from tests.fuzz.contract import filled, fuzz
from tests.servers.dovecot import Dovecot


@pytest.mark.parametrize("real", [False, True])
async def test_generated_requests_are_answered_as_the_contract_says(dovecot: Dovecot, real: bool) -> None:
    """R-HTTP-19, R-HTTP-11: every operation, edges of its values, requests without and with wrong credentials; no 500, no
    status, type or shape that is not declared."""
    code, told, log = await fuzz(
        dovecot, filled(dovecot), "--phases", "coverage,fuzzing", "--max-examples", "3", real=real
    )
    assert code == 0, told[-5000:]
    assert re.search(r"Tested: +(\d+)", told)
    assert '"fault"' not in log

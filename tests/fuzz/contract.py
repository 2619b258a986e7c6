"""The whole contract against requests that schemathesis makes up, on a process in front of a real Dovecot.

python -m tests.fuzz.contract --max-time 60
"""

import asyncio
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import httpx

from tests.deploy.replica import Replica, environment
from tests.servers.dovecot import PASSWORD, Dovecot

# 501, 502, 503, 504 and 507 are answers like others here: what counts is whether a status is in the contract (hooks.py).
# What the search box, cursors and ids take is more than a schema says, so 422 may answer what fits the schema.
# The folder of a path is always the inbox, so a 404 is not about the one that was created, but about another value.
# A null that stands for an absent value is taken, so not all that breaks a schema is refused.
LEFT_OUT = (
    "not_a_server_error,status_code_conformance,content_type_conformance,"
    "positive_data_acceptance,negative_data_rejection,ensure_resource_availability"
)
ENDLESS = ("/v1/accounts/{account}/events", "/v1/events")
"""Streams, of which schemathesis takes each event for a whole answer; tests/ops listens to them."""
CONFIG = """
hooks = "tests.fuzz.hooks"
[parameters]
"path.account" = "me"
{parameters}
"""
FREE = dict.fromkeys(("rates__account_failures", "rates__address_failures", "rates__server_failures"), "off")


async def fuzz(dovecot: Dovecot, user: str, *options: str, real: bool = True) -> tuple[int, str, str]:
    """Exit code, what schemathesis says, what the service logged. ``real``: with a folder and a message that there are."""
    async with Replica(environment(dovecot, drain_seconds=0, **FREE)) as replica:
        with tempfile.NamedTemporaryFile("w", suffix=".toml") as config:
            config.write(CONFIG.format(parameters=await real_ids(replica.url, user) if real else ""))
            config.flush()
            process = await asyncio.create_subprocess_exec(
                sys.executable, "-m", "schemathesis.cli", "--config-file", config.name, "run", f"{replica.url}/openapi.json",
                "--auth", f"{user}:{PASSWORD}", "--checks", "all", "--exclude-checks", LEFT_OUT, *(part for path in ENDLESS for part in ("--exclude-path", path)), "--request-timeout", "30",
                "--no-color", "--continue-on-failure", "--warnings", "off", *options,
                stdout=subprocess.PIPE, stderr=subprocess.STDOUT, env=os.environ | {"SCHEMATHESIS_HOOKS": "tests.fuzz.hooks"},
            )  # fmt: skip
            told, _ = await process.communicate()
        return process.returncode or 0, told.decode(errors="replace"), replica.log


async def real_ids(url: str, user: str) -> str:
    async with httpx.AsyncClient(base_url=url, auth=(user, PASSWORD)) as client:
        page = (await client.get("/v1/accounts/me/folders/inbox/messages?limit=1")).json()
    return f'"path.folder" = "inbox"\n"path.message" = "{page["items"][0]["id"]}"\n"path.part" = "1"'


def filled(dovecot: Dovecot) -> str:
    """A user with a few messages."""
    user = dovecot.user()
    dovecot.seed(
        user, ((b"From: ann@example.org\r\nSubject: number %d\r\n\r\ntext\r\n" % n, (), None) for n in range(20))
    )
    return user


def main() -> int:
    with Dovecot() as server:
        codes = []
        for real in (False, True):
            code, said, log = asyncio.run(fuzz(server, filled(server), *sys.argv[1:], real=real))
            codes.append(code)
            print("\n".join(line[:400] for line in said.splitlines()))  # noqa: T201
            Path("build").mkdir(exist_ok=True)
            Path(f"build/contract-{real}.log").write_text(log)
    return max(codes)


if __name__ == "__main__":
    sys.exit(main())

"""The program of the guide "Signing in": an address goes in, the mailbox comes out."""

import asyncio
import os
import shutil
import sys
from pathlib import Path

from service.app import create_app
from tests.api.conftest import mail
from tests.api.served import listening
from tests.markdown import of
from tests.oauth.conftest import settings_for
from tests.servers.issuer import Issuer, TokenDovecot
from tests.servers.process import HOST


async def test_an_address_goes_in_and_the_mailbox_comes_out(
    issuer: Issuer, token_dovecot: TokenDovecot, tmp_path: Path
) -> None:
    """curl is the browser: it follows the issuer's redirect back to the program."""
    curl = shutil.which("curl")
    assert curl, "This test needs curl: apt-get install curl"
    user = token_dovecot.user()
    token_dovecot.seed(user, [(mail("first"), (), None), (mail("second"), (), None)])
    [program] = of("docs/signing-in.md", "python")
    app = create_app(settings_for(issuer, token_dovecot))
    async with listening(app) as port:
        file = tmp_path / "sign_in.py"
        file.write_text(program.replace("http://127.0.0.1:8000", f"http://{HOST}:{port}"))
        running = await asyncio.create_subprocess_exec(
            *(sys.executable, file),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            env={**os.environ, "BROWSER": f"{curl} -sL %s &"},
        )
        async with asyncio.timeout(60):
            out, errors = await running.communicate(f"{user}\n".encode())
    assert running.returncode == 0, errors.decode()
    lines = [line for line in out.decode().splitlines() if "T" in line]
    assert [line.split()[-1] for line in lines] == ["second", "first"]

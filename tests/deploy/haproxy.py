"""Debian's haproxy, as a test configures it or as the operator's guide does."""

import asyncio
import os
import shutil
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx

from tests.deploy.replica import Replica
from tests.markdown import of
from tests.servers.dovecot import NotStarted
from tests.servers.process import HOST, free_ports
from tests.servers.tls import make_certificate

START_SECONDS = 10.0


@asynccontextmanager
async def haproxy(config: str, url: str) -> AsyncIterator[str]:
    """Its address, while it runs with this configuration. It is ready if it passes on requests."""
    path = f"{os.environ.get('PATH', os.defpath)}:/usr/sbin"
    program = shutil.which("haproxy", path=path)
    if program is None:
        raise NotStarted("This needs haproxy: apt-get install haproxy")
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "haproxy.cfg"
        file.write_text(config)
        process = await asyncio.create_subprocess_exec(program, "-q", "-db", "-f", str(file))
        try:
            async with httpx.AsyncClient(verify=False) as client, asyncio.timeout(START_SECONDS):
                while not await _passes(client, url):
                    assert process.returncode is None, config
                    await asyncio.sleep(0.05)
            yield url
        finally:
            if process.returncode is None:
                process.terminate()
            await process.wait()


async def _passes(client: httpx.AsyncClient, url: str) -> bool:
    try:
        return (await client.get(f"{url}/readyz")).status_code == 200
    except httpx.TransportError:
        return False


@asynccontextmanager
async def haproxy_http2(replica: Replica) -> AsyncIterator[str]:
    """Its address, with the configuration of the operator's guide."""
    [config] = [block for block in of("docs/operator.md", "") if "alpn h2" in block]
    [port] = free_ports(1)
    with tempfile.TemporaryDirectory() as folder:
        certificate = make_certificate(Path(folder))
        both = Path(folder) / "both.pem"
        both.write_bytes(certificate.cert_file.read_bytes() + certificate.key_file.read_bytes())
        for documented, own in (
            (":443", f"{HOST}:{port}"),
            ("/etc/haproxy/casella.pem", str(both)),
            ("127.0.0.1:8000", f"{HOST}:{replica.port}"),
        ):
            assert config.count(documented) == 1, documented
            config = config.replace(documented, own)
        async with haproxy(config, f"https://{HOST}:{port}") as url:
            yield url

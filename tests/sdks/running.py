"""Runs programs."""

import asyncio
import os
from pathlib import Path

from openapi.sdks.jvm import Failed

__all__ = ["Failed", "output"]


async def output(*command: str | Path, **environment: str) -> str:
    """What it prints."""
    env = os.environ | environment
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(*map(str, command), stdout=pipe, stderr=pipe, env=env)
    out, err = await process.communicate()
    if process.returncode:
        raise Failed(f"{command[0]} ended with {process.returncode}: {(out + err).decode()[-4000:]}")
    return out.decode()

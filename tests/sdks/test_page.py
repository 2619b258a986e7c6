"""The page that is committed is what its source makes, with the SDK of the present contract."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
pytestmark = pytest.mark.sdks


def test_the_page_is_built_of_its_source(tmp_path: Path) -> None:
    sdk = ROOT / "build" / "sdks" / "typescript"
    tools = Path(sys.executable).parent
    path = f"{tools}{os.pathsep}{os.environ['PATH']}"
    env = os.environ | {"OUT": str(tmp_path / "files"), "SDK": str(sdk), "PATH": path}
    for step in ("types", "build"):
        subprocess.run([tools / "npm", "run", "--silent", step], cwd=ROOT / "web", check=True, env=env)
    assert _files(tmp_path / "files") == _files(ROOT / "service" / "web" / "files"), "run make web"


def _files(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}

"""The guides are in the installed package, not only in a checkout."""

import re
import subprocess
import sys
import zipfile
from pathlib import Path

ROOT = Path(__file__).parents[2]
_SHOW = "from service.site import pages; print(pages.guide('search').content.decode(), pages.guide('security').content.decode())"


def test_a_wheel_has_the_guides_and_shows_them(tmp_path: Path) -> None:
    build = "import sys; from hatchling.build import build_wheel; print(build_wheel(sys.argv[1]))"
    name = subprocess.run(
        [sys.executable, "-c", build, tmp_path], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout.split()[-1]
    zipfile.ZipFile(tmp_path / name).extractall(tmp_path / "installed")
    shown = subprocess.run(
        [sys.executable, "-c", _SHOW],
        cwd=tmp_path / "installed",
        capture_output=True,
        text=True,
        check=True,
        env={"PYTHONPATH": str(tmp_path / "installed")},
    ).stdout
    assert "The search box" in shown
    assert "../guides/reliability" in shown


def test_the_image_has_what_the_wheel_has() -> None:
    forced = re.findall(r'^"(\S+)" = "(service/site/texts/\S+)"$', (ROOT / "pyproject.toml").read_text(), re.MULTILINE)
    lines = (ROOT / "Dockerfile").read_text()
    copied = re.findall(r"^COPY (.+) (service/site/texts/\S*)$", lines, re.MULTILINE)
    into = {source: target for sources, target in copied for source in sources.split()}
    assert len(forced) == 4
    for source, target in forced:
        assert into[source] == target if target.endswith("docs") else target.startswith(into[source])
        assert f"\n!{source}\n" in (ROOT / ".dockerignore").read_text()

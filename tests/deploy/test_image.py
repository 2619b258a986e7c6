"""The Dockerfile. `make image` builds, starts and ends the image, and needs buildah."""

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("yaml", reason="make chart installs it")
from tests.deploy.chart import ROOT, container, one, render

pytestmark = pytest.mark.deploy
LINES = (ROOT / "Dockerfile").read_text()


def instruction(name: str) -> str:
    """The last instruction of its kind, which is the valid one."""
    return str(re.findall(rf"^{name} (.*)$", LINES, re.MULTILINE)[-1])


def exec_form(words: str) -> Any:
    return json.loads(words[words.index("[") :])


def test_hadolint_finds_no_fault() -> None:
    done = subprocess.run([Path(sys.executable).with_name("hadolint"), ROOT / "Dockerfile"], check=False)
    assert done.returncode == 0


def test_the_image_runs_as_the_chart_expects() -> None:
    objects = render()
    context = one(objects, "Deployment")["spec"]["template"]["spec"]["securityContext"]
    assert instruction("USER") == f"{context['runAsUser']}:{context['runAsGroup']}"
    assert instruction("EXPOSE") == str(container(objects)["ports"][0]["containerPort"])
    python = exec_form(instruction("ENTRYPOINT"))[0]
    assert one(objects, "Pod")["spec"]["containers"][0]["command"][0] == python
    assert all(exec_form(instruction(name)) for name in ("ENTRYPOINT", "CMD", "HEALTHCHECK"))


def test_packages_are_checked_by_their_hashes() -> None:
    assert "--require-hashes -r requirements.txt" in LINES
    requirements = (ROOT / "requirements.txt").read_text()
    assert requirements.count("==") <= requirements.count("--hash=sha256:")

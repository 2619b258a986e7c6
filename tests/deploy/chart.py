"""The chart as helm renders it."""

import json
import subprocess
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parents[2]
CHART = ROOT / "helm"
RELEASE, NAMESPACE = "mail", "post"
KUBERNETES = "1.37"
CUSTOM = {"HTTPRoute", "BackendTrafficPolicy", "DestinationRule", "ServiceMonitor", "PrometheusRule"}
"""Kinds that others define: their schemas are not Kubernetes' own."""
SERVERS = {"home": {"imap": {"host": "imap.example.org", "port": 993}}}
KEY = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8"
Object = dict[str, Any]


class Refused(Exception):
    """helm does not take it, and says why."""


def helm(command: str, *arguments: str, values: Object | None = None) -> str:
    """What it prints. ``values`` go before those of files."""
    program = ROOT / ".tools" / "helm"
    assert program.exists(), "helm is not there: .ci/tools fetches it"
    done = subprocess.run(
        [program, command, *arguments, *(["--values", "-"] if values else [])],
        input=json.dumps(values),
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise Refused(done.stderr or f"helm ended with {done.returncode}")
    return done.stdout


def render(values: Object | None = None, file: Path | None = None) -> list[Object]:
    """All objects of a release."""
    files = ["--values", str(file)] if file else []
    text = helm("template", RELEASE, str(CHART), "--namespace", NAMESPACE, *files, values=values)
    return [each for each in yaml.safe_load_all(text) if each]


def one(objects: list[Object], kind: str) -> Object:
    """The only one of its kind."""
    (found,) = (each for each in objects if each["kind"] == kind)
    return found


def service(objects: list[Object], port: str) -> Object:
    """The service that has the port of this name."""
    (found,) = (each for each in objects if each["kind"] == "Service" and each["spec"]["ports"][0]["name"] == port)
    return found


def container(objects: list[Object]) -> Object:
    """Casella's, in the deployment."""
    containers = one(objects, "Deployment")["spec"]["template"]["spec"]["containers"]
    return next(dict(each) for each in containers if each["name"] == "casella")


def accept(objects: list[Object]) -> None:
    """Raises ValidationError if a schema of Kubernetes refuses one of its own kinds."""
    import kubernetes_validate

    for each in objects:
        if each["kind"] not in CUSTOM:
            kubernetes_validate.validate(each, KUBERNETES, strict=True)


def settings_file(objects: list[Object]) -> str:
    """The TOML that the container reads."""
    return next(str(each["data"]["casella.toml"]) for each in objects if "casella.toml" in each.get("data", {}))

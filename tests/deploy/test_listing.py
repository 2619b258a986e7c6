"""What catalogues of charts show, by the rules of Artifact Hub: metadata, README and the description of every value."""

import re
import tomllib
from typing import Any
from urllib.parse import urlsplit

import pytest

pytest.importorskip("yaml", reason="make chart installs it")
import yaml

from service import __version__
from tests.deploy import generated
from tests.deploy.chart import CHART, ROOT, accept, one, render

pytestmark = pytest.mark.deploy
META = yaml.safe_load((CHART / "Chart.yaml").read_text())
NOTES = {name.removeprefix("artifacthub.io/"): value for name, value in META["annotations"].items()}
CATEGORIES = {
    *("ai-machine-learning", "database", "integration-delivery", "monitoring-logging", "networking", "security"),
    *("storage", "streaming-messaging", "skip-prediction"),
}
KINDS = {"added", "changed", "deprecated", "removed", "fixed", "security"}


def rows(name: str) -> list[dict[str, Any]]:
    """An annotation that is YAML within YAML."""
    found = yaml.safe_load(NOTES[name])
    assert isinstance(found, list)
    assert found
    return found


def test_annotations_are_texts_that_are_known() -> None:
    known = {"category", "license", "operator", "prerelease", "images", "links", "changes"}
    assert NOTES.keys() == known
    assert all(isinstance(value, str) for value in META["annotations"].values())
    assert NOTES["category"] in CATEGORIES
    assert {NOTES["operator"], NOTES["prerelease"]} <= {"true", "false"}


def test_the_general_fields_are_there() -> None:
    assert META["apiVersion"] == "v2"
    assert META["version"] == META["appVersion"] == __version__
    assert all(META[name] for name in ("description", "keywords", "maintainers", "kubeVersion"))


def test_the_licence_is_the_project_s() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert NOTES["license"] == project["license"]


def test_links_have_a_name_and_an_address() -> None:
    for link in rows("links"):
        assert link.keys() == {"name", "url"}
        assert link["name"]
        assert urlsplit(link["url"]).scheme == "https"


def test_images_are_those_that_are_rendered() -> None:
    objects = render()
    pods = (one(objects, "Deployment")["spec"]["template"]["spec"], one(objects, "Pod")["spec"])
    rendered = {container["image"] for pod in pods for container in pod["containers"]}
    assert {image["image"] for image in rows("images")} == rendered
    for image in rows("images"):
        assert image["name"]
        assert not image["image"].endswith(":latest")


def test_changes_have_a_kind_and_a_sentence() -> None:
    for change in rows("changes"):
        assert change.keys() == {"kind", "description"}
        assert change["kind"] in KINDS
        assert re.fullmatch(r"[A-Za-z].*\.", change["description"])


EXAMPLES = re.findall(r"^```yaml\n(.*?)^```", generated.README.read_text(), re.MULTILINE | re.DOTALL)


@pytest.mark.parametrize("text", EXAMPLES, ids=["settings", "ingress", "metrics"])
def test_the_readme_s_examples_are_accepted(text: str) -> None:
    accept(render(yaml.safe_load(text)))


def test_every_value_has_a_sentence() -> None:
    assert [value.path for value in generated.values() if not value.sentence.endswith(".")] == []


def test_readme_and_schema_are_up_to_date() -> None:
    """python -m tests.deploy.generated rewrites them."""
    for file, made in ((generated.README, generated.readme), (generated.SCHEMA, generated.schema)):
        assert made(file.read_text()) == file.read_text(), file

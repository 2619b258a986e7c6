"""What helm prints after an installation."""

import pytest

pytest.importorskip("yaml", reason="make chart installs it")
from service import __version__
from tests.deploy.chart import CHART, KEY, RELEASE, SERVERS, Object, helm

pytestmark = pytest.mark.deploy
SEVERAL: Object = {"replicaCount": 3, "config": {"servers": SERVERS}, "secretKeys": [KEY]}


def notes(values: Object) -> str:
    text = helm("install", RELEASE, str(CHART), "--dry-run=client", values=values).split("NOTES:")[1]
    assert "nil" not in text
    return " ".join(text.split())


def behind(**ingress: str) -> Object:
    """Three pods behind an Ingress."""
    return SEVERAL | {"ingress": {"enabled": True} | ingress}


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({}, ["port-forward", "this is a demo", "curl -s -u demo@example.org:demo http://127.0.0.1:8000/v1"]),
        ({}, [f"the pods need the image casella:{__version__}, which is in no public registry", "docker build", "kind load"]),
        ({"config": {"servers": SERVERS}}, ["NEXT: session tokens end with the pod", "service check --config", "Set httpRoute"]),
        ({"config": {"servers": SERVERS}, "extraEnv": [{"name": "TZ", "value": "UTC"}]}, ["NEXT: session tokens end with the pod"]),
        (SEVERAL, ["NOTE: an account may use 4 connections in each of 3 pods", "config.account_connections to 3"]),
        (behind(), ["https://casella.example.org/docs", "NEXT: the Ingress has no certificate"]),
        (behind(), ["if the default class is HAProxy's or F5's controller, set ingress.controller"]),
        (behind(className="edge"), ["if edge is HAProxy's or F5's controller"]),
        (behind(className="traefik"), ["Traefik cannot keep an account on one pod"]),
        (SEVERAL | {"httpRoute": {"enabled": True, "parentRefs": [{"name": "a"}]}}, ["(httpRoute.affinity)", "casella.example.org"]),
    ],
    ids=["demo", "image", "no key", "no key among variables", "several", "no certificate", "no class", "unknown class", "traefik", "route"],
)  # fmt: skip
def test_notes_say_what_to_do_next(values: Object, words: list[str]) -> None:
    text = notes(values)
    assert [each for each in words if each not in text] == []


@pytest.mark.parametrize(
    "values",
    [
        behind(className="haproxy"),
        behind(className="nginx"),
        behind(className="edge", controller="haproxy"),
        SEVERAL | {"httpRoute": {"enabled": True, "parentRefs": [{"name": "a"}], "affinity": "istio"}},
        SEVERAL | {"config": {"servers": SERVERS, "account_connections": 3}},
    ],
    ids=["haproxy", "nginx", "named", "route", "few connections"],
)
def test_notes_trust_in_affinity(values: Object) -> None:
    assert "NOTE: " not in notes(values)


@pytest.mark.parametrize("route", [{}, {"hostnames": []}], ids=["named", "any"])
def test_a_route_is_not_asked_for_twice(route: Object) -> None:
    values = SEVERAL | {"httpRoute": {"enabled": True, "parentRefs": [{"name": "a"}]} | route}
    assert "nothing outside of the cluster reaches it" not in notes(values)


def test_an_image_of_a_registry_needs_no_word() -> None:
    assert "FIRST" not in notes({"image": {"repository": "registry.example.org/casella"}})

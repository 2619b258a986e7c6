"""The values of the chart: what is wrong is refused with a reason, and all that is right makes valid objects."""

import json
from collections.abc import Iterator
from functools import reduce
from itertools import combinations, product
from typing import Any

import pytest

pytest.importorskip("yaml", reason="make chart installs it")
pytest.importorskip("allpairspy", reason="make chart installs it")
import yaml
from allpairspy import AllPairs

from tests.deploy import generated
from tests.deploy.chart import CUSTOM, KEY, SERVERS, Object, Refused, accept, one, render

pytestmark = pytest.mark.deploy
SEVERAL: Object = {"replicaCount": 3, "config": {"servers": SERVERS}, "secretKeys": [KEY]}
SCHEMA = "don't meet the specifications of the schema"
ROUTE = {"enabled": True, "parentRefs": [{"name": "public"}]}
KEYS_FROM = [{"secretRef": {"name": "keys"}}]
SWITCHES: dict[str, dict[str, Object]] = {
    "servers": {"demo": {}, "home": {"config": {"servers": SERVERS}}},
    "keys": {
        "none": {},
        "values": {"secretKeys": [KEY]},
        "secret": {"existingSecret": {"name": "keys"}},
        "variable": {"extraEnv": [{"name": "CASELLA_SECRET_KEYS", "value": KEY}]},
        "variables": {"extraEnvFrom": KEYS_FROM},
    },
    "pods": {
        "one": {},
        # Several pods need keys, which may be in a secret that the chart does not look into.
        "three": {"replicaCount": 3, "extraEnvFrom": KEYS_FROM},
        "scaled": {"autoscaling": {"enabled": True}, "extraEnvFrom": KEYS_FROM},
    },
    "ingress": {
        "off": {},
        **{name: {"ingress": {"enabled": True, "className": name}} for name in ("haproxy", "nginx", "traefik", "")},
    },
    "route": {
        "off": {},
        **{name: {"httpRoute": ROUTE | {"affinity": name}} for name in ("", "envoy-gateway", "istio")},
    },
    "certificate": {"none": {}, "tls": {"ingress": {"tls": [{"secretName": "tls", "hosts": ["casella.example.org"]}]}}},
    "push": {
        "off": {},
        "on": {"pushSecret": {"name": "hook"}, "config": {"push": {"subject": "mailto:a@example.org"}}},
    },
    "policy": {"on": {}, "off": {"networkPolicy": {"enabled": False}}},
    "monitor": {
        "off": {},
        "on": {"serviceMonitor": {"enabled": True}, "networkPolicy": {"scrapers": [{"podSelector": {}}]}},
    },
    "alerts": {"off": {}, "on": {"prometheusRule": {"enabled": True}}},
    "dashboard": {"off": {}, "on": {"dashboard": {"enabled": True}}},
    "account": {"own": {}, "default": {"serviceAccount": {"create": False}}},
    "budget": {"on": {}, "off": {"podDisruptionBudget": {"enabled": False}}},
    "service": {
        "inside": {},
        "outside": {"service": {"type": "LoadBalancer", "ipFamilyPolicy": "RequireDualStack", "ipFamilies": ["IPv6"]}},
    },
    "strategy": {"rolling": {}, "recreate": {"strategy": {"type": "Recreate", "rollingUpdate": None}}},
    "limits": {"some": {}, "none": {"resources": {"limits": None}}},
    "image": {"tag": {}, "digest": {"image": {"digest": f"sha256:{'0' * 64}"}, "imagePullSecrets": [{"name": "pull"}]}},
    "name": {"release": {}, "full": {"fullnameOverride": "mail-api"}, "chart": {"nameOverride": "api"}},
    "extras": {
        "none": {},
        "all": {
            "extraContainers": [{"name": "tunnel", "image": "registry.example.org/tunnel:1"}],
            "extraVolumes": [{"name": "more", "emptyDir": {}}],
            "extraVolumeMounts": [{"name": "more", "mountPath": "/more"}],
            "extraArgs": ["--host", "::"],
            "lifecycle": {"preStop": {"sleep": {"seconds": 1}}},
            "dnsConfig": {"options": [{"name": "ndots", "value": "1"}]},
            "hostAliases": [{"ip": "192.0.2.1", "hostnames": ["imap.example.org"]}],
            "extraObjects": ["apiVersion: v1\nkind: ConfigMap\nmetadata: {name: '{{ .Release.Name }}-more'}"],
            "commonLabels": {"team": "platform"},
            "commonAnnotations": {"example.org/owner": "platform"},
        },
    },
}
NAMES = list(SWITCHES)


ROWS = [tuple(row) for row in AllPairs([list(each) for each in SWITCHES.values()])]


def merged(one_of: Object, other: Object) -> Object:
    """Both, and what the other says where both say something. An empty object empties."""
    both = {key for key in one_of.keys() & other.keys() if isinstance(other[key], dict) and other[key]}
    return one_of | other | {key: merged(one_of[key], other[key]) for key in both}


def test_every_pair_of_switches_is_rendered() -> None:
    rendered = {frozenset(pair) for row in ROWS for pair in combinations(zip(NAMES, row, strict=True), 2)}
    wanted = {
        frozenset(((first, a), (second, b)))
        for first, second in combinations(NAMES, 2)
        for a, b in product(SWITCHES[first], SWITCHES[second])
    }
    assert rendered == wanted
    assert len(ROWS) < 60


@pytest.mark.parametrize("row", ROWS, ids="-".join)
def test_kubernetes_accepts_each_combination(row: tuple[str, ...]) -> None:
    """And each object is there once, with all that it leads to."""
    chosen = dict(zip(NAMES, row, strict=True))
    objects = render(reduce(merged, (SWITCHES[name][choice] for name, choice in chosen.items())))
    accept(objects)
    names = [(each["kind"], each["metadata"]["name"]) for each in objects]
    assert len(set(names)) == len(names)
    assert {kind for kind, _ in names} & CUSTOM == custom(chosen)
    pod = one(objects, "Deployment")["spec"]["template"]["spec"]
    if chosen["account"] == "own":
        assert ("ServiceAccount", pod["serviceAccountName"]) in names
    for volume in pod["volumes"]:
        assert "configMap" not in volume or ("ConfigMap", volume["configMap"]["name"]) in names
    for name in leads_to(objects):
        assert ("Service", name) in names


def custom(chosen: dict[str, str]) -> set[str]:
    """The kinds of others that the switches demand."""
    kinds = {"ServiceMonitor"} if chosen["monitor"] == "on" else set()
    kinds |= {"PrometheusRule"} if chosen["alerts"] == "on" else set()
    kinds |= {"HTTPRoute"} if chosen["route"] != "off" else set()
    return kinds | {"envoy-gateway": {"BackendTrafficPolicy"}, "istio": {"DestinationRule"}}.get(chosen["route"], set())


def leads_to(objects: list[Object]) -> Iterator[str]:
    """The names of services that routes name."""
    for each in objects:
        if each["kind"] == "Ingress":
            yield from (
                path["backend"]["service"]["name"] for rule in each["spec"]["rules"] for path in rule["http"]["paths"]
            )
        if each["kind"] == "HTTPRoute":
            yield from (end["name"] for rule in each["spec"]["rules"] for end in rule["backendRefs"])
        if each["kind"] == "DestinationRule":
            yield each["spec"]["host"]


def paths(values: Any, above: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """Each key of nested values."""
    if isinstance(values, dict):
        for key, value in values.items():
            yield (*above, key)
            yield from paths(value, (*above, key))


DEFAULTS = yaml.safe_load(generated.VALUES.read_text())
SETTINGS = [("config", name) for name in generated.settings_schema()[0]["properties"]]
SERVER = [
    ("config", "servers", "home", *path) for path in [(), ("domains",), ("imap",), ("imap", "host"), ("imap", "port")]
]
FREE = (
    *("podSecurityContext", "securityContext", "startupProbe", "readinessProbe", "livenessProbe", "resources"),
    *("strategy.rollingUpdate", "autoscaling.behavior", "dashboard.labels"),
)
"""Objects of Kubernetes, and labels: null removes a part of them."""
REMOVABLE = {"strategy.rollingUpdate"}


@pytest.mark.parametrize("path", dict.fromkeys([*paths(DEFAULTS), *SETTINGS, *SERVER]), ids=".".join)
def test_null_is_refused_or_removes_a_part(path: tuple[str, ...]) -> None:
    """Never a nil pointer. A value of the chart without a default has no meaning."""
    values: Any = None
    for key in reversed(path):
        values = {key: values}
    name = ".".join(path)
    if name in REMOVABLE or name.startswith(tuple(f"{each}." for each in FREE)):
        assert render(values)
    else:
        with pytest.raises(Refused, match=SCHEMA):
            render(values)


@pytest.mark.parametrize(
    "values",
    [
        {"replicas": 3},
        {"image": {"registry": "example.org"}},
        {"replicaCount": "3"},
        {"secretKeys": ["short"]},
        {"config": {"servers": SERVERS, "sesion_seconds": 60}},
        {"config": {"servers": SERVERS, "session_seconds": 1}},
        {"config": {"servers": SERVERS, "secret_keys": [KEY]}},
        {"config": {"oauth": {"example": {"issuer": "https://example.org", "client_id": "x", "client_secret": "y"}}}},
        {"config": {"servers": {"home": {"imap": {"host": "imap.example.org", "port": "993"}}}}},
        {"config": {"servers": {"home": {"imap": {"host": "imap.example.org", "port": 993, "security": "ssl"}}}}},
        {"ingress": {"hosts": ["casella.example.org"]}},
        {"networkPolicy": {"mailPorts": [0]}},
        {"metrics": {"port": 8000}},
        {"extraEnv": {"NAME": "value"}},
        {"podAnnotations": {"example.org/count": 1}},
        {"ingress": {"controller": "apache"}},
        {"service": {"ipFamilyPolicy": "DualStack"}},
        {"prometheusRule": {"runbookUrl": "wiki"}},
        {"config": {"servers": SERVERS, "public_url": None}},
        {"extraEnv": [None]},
    ],
    ids=json.dumps,
)
def test_the_schema_refuses(values: Object) -> None:
    with pytest.raises(Refused, match=SCHEMA):
        render(values)


@pytest.mark.parametrize(
    ("values", "reason"),
    [
        (SEVERAL | {"existingSecret": {"name": "ours"}}, "set only one of them"),
        (SEVERAL | {"secretKeys": []}, "Several pods need secretKeys"),
        (SEVERAL | {"secretKeys": [], "extraEnv": [{"name": "TZ", "value": "UTC"}]}, "Several pods need secretKeys"),
        ({"storeSecret": {"name": "database"}}, "A store needs secretKeys"),
        (SEVERAL | {"config": {"servers": SERVERS, "store": {"url": "sqlite:////data/x.db"}}}, "cannot share a file"),
        ({"secretKeys": [KEY], "config": {"store": {"url": "sqlite:////data/x.db"}}}, "Set strategy.type to Recreate"),
        ({"secretKeys": [KEY], "config": {"store": {"url": "postgresql://u:p@h/d"}}}, "CASELLA_STORE__URL"),
        ({"autoscaling": {"enabled": True, "minReplicas": 6, "maxReplicas": 3}}, "at most autoscaling.maxReplicas"),
        ({"terminationGracePeriodSeconds": 30}, "at least 35"),
        ({"config": {"drain_seconds": 20}}, "at least 50"),
        ({"lifecycle": {"preStop": {"sleep": {"seconds": 20}}}}, "at least 55"),
        ({"config": {"drain_seconds": 15.5}}, "at least 46"),
        ({"config": {"rates": {"url": "redis://:secret@redis.example.org"}}}, "CASELLA_RATES__URL"),
        ({"config": {"metrics_port": 9000}}, "set metrics.port"),
        ({"serviceMonitor": {"enabled": True}}, "name the pods of your Prometheus"),
        ({"httpRoute": {"enabled": True}}, "name the gateway"),
    ],
    ids=str,
)
def test_the_chart_refuses(values: Object, reason: str) -> None:
    with pytest.raises(Refused, match=reason):
        render(values)


def test_one_pod_may_keep_its_store_in_a_file() -> None:
    recreated = {"strategy": {"type": "Recreate", "rollingUpdate": None}}
    store = {"config": {"servers": SERVERS, "store": {"url": "sqlite:////data/casella.db"}}, "secretKeys": [KEY]}
    assert one(render(store | recreated), "Deployment")["spec"]["strategy"] == {"type": "Recreate"}

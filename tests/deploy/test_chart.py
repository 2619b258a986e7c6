"""The chart: Kubernetes and Casella accept what it renders, and its README is true."""

import json
import re
import tarfile
from pathlib import Path
from typing import Any

import pytest

from service import __version__
from service.http.listener import GRACE_SECONDS
from service.settings.model import read_settings

pytest.importorskip("yaml", reason="make chart installs it")
from tests.deploy.chart import (
    CHART,
    CUSTOM,
    KEY,
    NAMESPACE,
    RELEASE,
    ROOT,
    SERVERS,
    Object,
    accept,
    container,
    helm,
    one,
    render,
    service,
    settings_file,
)
from tests.deploy.documented import metrics
from tests.markdown import anchors

pytestmark = pytest.mark.deploy

FILES = [CHART / "values.yaml", *sorted((CHART / "ci").glob("*-values.yaml"))]
FULL, MINIMAL = CHART / "ci" / "full-values.yaml", CHART / "ci" / "minimal-values.yaml"
METRICS = metrics() | {"process_resident_memory_bytes": set(), "up": set()}
HAPROXY = {
    "haproxy.org/load-balance": "hdr(Authorization)",
    "haproxy.org/backend-config-snippet": "hash-type consistent",
    "haproxy-ingress.github.io/balance-algorithm": "hdr(Authorization)",
    "haproxy-ingress.github.io/config-backend": "hash-type consistent",
}
NGINX = {
    "nginx.org/lb-method": "hash $http_authorization$arg_ticket consistent",
    "nginx.ingress.kubernetes.io/upstream-hash-by": "$http_authorization$arg_ticket",
}
SEVERAL: Object = {"replicaCount": 3, "config": {"servers": SERVERS}, "secretKeys": [KEY]}
ANY_HOST: Object = {"host": "*.example.org", "paths": [{"path": "/", "pathType": "Prefix"}]}

each_file = pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)


@pytest.fixture(scope="module")
def full() -> list[Object]:
    return render(file=FULL)


@each_file
def test_helm_finds_no_fault(file: Path) -> None:
    helm("lint", "--strict", str(CHART), "--values", str(file))


@each_file
def test_kubernetes_accepts_what_is_rendered(file: Path) -> None:
    accept(render(file=file))


def test_all_kinds_are_there(full: list[Object]) -> None:
    kinds = {each["kind"] for each in full}
    assert kinds == CUSTOM - {"DestinationRule"} | {
        *("ConfigMap", "Secret", "ServiceAccount", "Deployment", "Service", "HorizontalPodAutoscaler"),
        *("PodDisruptionBudget", "NetworkPolicy", "Ingress", "Pod"),
    }


def test_all_objects_name_their_release(full: list[Object]) -> None:
    for each in full:
        metadata = each["metadata"]
        assert metadata["namespace"] == NAMESPACE
        assert metadata["labels"].items() >= {"app.kubernetes.io/instance": RELEASE, "team": "platform"}.items()
        assert metadata["annotations"]["example.org/owner"] == "platform"


@each_file
def test_selectors_pick_the_pods_and_not_the_test(file: Path) -> None:
    objects = render(file=file)
    pods = one(objects, "Deployment")["spec"]["template"]["metadata"]["labels"]
    test = one(objects, "Pod")["metadata"]["labels"]
    selectors = [
        one(objects, "Deployment")["spec"]["selector"]["matchLabels"],
        *(each["spec"]["selector"] for each in objects if each["kind"] == "Service"),
        one(objects, "NetworkPolicy")["spec"]["podSelector"]["matchLabels"],
        *(each["spec"]["selector"]["matchLabels"] for each in objects if each["kind"] == "PodDisruptionBudget"),
    ]
    assert all(selector.items() <= pods.items() and not selector.items() <= test.items() for selector in selectors)


@each_file
def test_pods_are_restricted(file: Path) -> None:
    objects = render(file=file)
    for pod in (one(objects, "Deployment")["spec"]["template"]["spec"], one(objects, "Pod")["spec"]):
        assert pod["automountServiceAccountToken"] is False
        assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
        assert pod["securityContext"]["runAsUser"] == 10001
        assert pod["containers"][0]["securityContext"] == {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "runAsNonRoot": True,
            "capabilities": {"drop": ["ALL"]},
        }
    volumes = one(objects, "Deployment")["spec"]["template"]["spec"]["volumes"]
    assert [volume for volume in volumes if "emptyDir" in volume] == [
        {"name": "tmp", "emptyDir": {"sizeLimit": "512Mi"}}
    ]


def test_casella_reads_its_settings(full: list[Object], tmp_path: Path) -> None:
    assert "--config=/etc/casella/casella.toml" in container(full)["args"]
    file = tmp_path / "casella.toml"
    file.write_text(settings_file(full))
    settings = read_settings(file)
    assert settings.session_seconds == 86400
    assert settings.access_log is False
    assert settings.default_server == "home"
    assert list(settings.servers) == ["home", 'the "other"']
    home = settings.servers["home"]
    assert home.domains == {"example.org", "xn--bcher-kva.example.org"}
    assert home.imap is not None
    assert (home.imap.port, home.imap.ca_file) == (993, Path("/etc/authorities/ca.pem"))


def test_keys_are_only_in_a_secret(full: list[Object]) -> None:
    assert one(full, "Secret")["stringData"] == {"secret-keys": f"{KEY},HwECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8"}
    assert container(full)["env"][0] == {
        "name": "CASELLA_SECRET_KEYS",
        "valueFrom": {"secretKeyRef": {"name": "mail-api", "key": "secret-keys"}},
    }
    assert KEY not in json.dumps([each for each in full if each["kind"] != "Secret"])
    own = render({"existingSecret": {"name": "ours", "key": "keys"}}, MINIMAL)
    assert not [each for each in own if each["kind"] == "Secret"]
    assert container(own)["env"][0]["valueFrom"] == {"secretKeyRef": {"name": "ours", "key": "keys"}}


def test_the_address_of_the_database_is_in_a_secret_of_the_operator(full: list[Object]) -> None:
    assert {
        "name": "CASELLA_STORE__URL",
        "valueFrom": {"secretKeyRef": {"name": "database", "key": "address"}},
    } in container(full)["env"]
    assert "CASELLA_STORE__URL" not in {each["name"] for each in container(render(None, MINIMAL)).get("env", [])}


def test_without_servers_the_demo_is_served() -> None:
    objects = render()
    assert container(objects)["args"][0] == "demo"
    assert "ConfigMap" not in {each["kind"] for each in objects}


def test_extras_reach_the_container(full: list[Object]) -> None:
    own = container(full)
    assert own["args"][-2:] == ["--host", "::"]
    assert own["env"][-1]["name"] == "CASELLA_ACCOUNT_IDLE_SECONDS"
    assert own["envFrom"] == [{"secretRef": {"name": "more"}}]
    assert own["volumeMounts"][-1]["mountPath"] == "/etc/authorities"
    assert own["image"].startswith("registry.example.org/casella@sha256:")
    assert container(render())["image"] == f"casella:{__version__}"
    assert own["lifecycle"] == {"preStop": {"sleep": {"seconds": 2}}}
    pod = one(full, "Deployment")["spec"]["template"]["spec"]
    assert [each["name"] for each in pod["containers"]] == ["casella", "tunnel"]
    assert pod["dnsConfig"] == {"options": [{"name": "ndots", "value": "1"}]}
    assert pod["hostAliases"] == [{"ip": "192.0.2.1", "hostnames": ["imap.example.org"]}]


def test_more_objects_are_templates(full: list[Object]) -> None:
    names = {each["metadata"]["name"] for each in full if each["metadata"]["labels"].get("part") == "ours"}
    assert names == {f"{RELEASE}-object", f"{RELEASE}-text"}


def test_both_services_have_the_families(full: list[Object]) -> None:
    for each in (service(full, "http"), service(full, "metrics")):
        assert (each["spec"]["ipFamilyPolicy"], each["spec"]["ipFamilies"]) == ("PreferDualStack", ["IPv6", "IPv4"])
    assert not any("ipFamilies" in each["spec"] for each in render() if each["kind"] == "Service")


def test_new_settings_make_new_pods() -> None:
    def checksums(more: Object) -> Any:
        return one(render(SEVERAL | more), "Deployment")["spec"]["template"]["metadata"]["annotations"]

    before = checksums({})
    assert before == checksums({"replicaCount": 2})
    assert before != checksums({"config": {"servers": SERVERS, "session_seconds": 60}})
    assert before != checksums({"secretKeys": [KEY[::-1]]})


def test_a_pod_has_time_to_end() -> None:
    pod = one(render(), "Deployment")["spec"]["template"]["spec"]
    probe, drain = pod["containers"][0]["readinessProbe"], read_settings(None).drain_seconds
    assert pod["terminationGracePeriodSeconds"] >= drain + GRACE_SECONDS + 5
    assert probe["periodSeconds"] * probe["failureThreshold"] < drain
    assert (probe["httpGet"]["path"], pod["containers"][0]["livenessProbe"]["httpGet"]["path"]) == (
        "/readyz",
        "/healthz",
    )


def test_a_budget_is_for_several_pods() -> None:
    assert "PodDisruptionBudget" not in {each["kind"] for each in render()}
    assert one(render(SEVERAL), "PodDisruptionBudget")["spec"]["maxUnavailable"] == 1


def test_only_the_autoscaler_sets_the_number_of_pods(full: list[Object]) -> None:
    assert "replicas" not in one(full, "Deployment")["spec"]
    scaler = one(full, "HorizontalPodAutoscaler")["spec"]
    assert [metric["resource"]["name"] for metric in scaler["metrics"]] == ["cpu", "memory"]


def test_pods_reach_what_is_configured_and_dns(full: list[Object]) -> None:
    dns, mail, stores, own = one(full, "NetworkPolicy")["spec"]["egress"]
    assert {(each["port"], each["protocol"]) for each in dns["ports"]} == {(53, "UDP"), (53, "TCP")}
    assert {each["port"] for each in mail["ports"]} == {143, 993, 465, 2110, 4190}
    assert mail["to"] == [{"ipBlock": {"cidr": "192.0.2.0/24"}}]
    assert stores == {"ports": [{"port": 6380}, {"port": 5432}], "to": [{"ipBlock": {"cidr": "198.51.100.0/24"}}]}
    assert own == {"ports": [{"port": 443}]}


def test_the_secrets_of_the_hook_come_from_a_secret() -> None:
    [container] = one(render({"pushSecret": {"name": "hook", "key": "secrets"}}), "Deployment")["spec"]["template"][
        "spec"
    ]["containers"]
    secret = {"secretKeyRef": {"name": "hook", "key": "secrets"}}
    assert {"name": "CASELLA_PUSH__DOVECOT__SECRETS", "valueFrom": secret} in container["env"]


def env(name: str, value: str | None = None) -> Object:
    """A variable; without a value, one from a secret."""
    return {"name": name, **({"value": value} if value else {"valueFrom": {"secretKeyRef": {"name": "x", "key": "y"}}})}


@pytest.mark.parametrize(
    ("values", "ports"),
    [
        ({}, set()),
        ({"config": {"servers": SERVERS}}, {993}),
        ({"config": {"servers": SERVERS, "any_server": True}}, {993, 143, 110, 995, 465, 587, 443}),
        ({"config": {"oauth": {"google": {"issuer": "https://accounts.google.com", "client_id": "x"}}}}, {443}),
        ({"config": {"oauth": {"own": {"token_endpoint": "https://sso.example.org:8443/token", "client_id": "x"}}}}, {8443}),
        ({"extraEnv": [env("CASELLA_OAUTH__GOOGLE__CLIENT_SECRET")]}, {443}),
        ({"extraEnv": [env("CASELLA_PUSH__DOVECOT__SECRETS")]}, {443}),
        ({"pushSecret": {"name": "hook"}}, {443}),
        ({"config": {"servers": SERVERS, "push": {"dovecot": {"servers": ["home"]}}}}, {993, 443}),
        ({"config": {"servers": {"home": SERVERS["home"] | {"smtp": {"host": "smtp.example.org", "port": 2525}}}}}, {993, 2525}),
        ({"networkPolicy": {"mailPorts": [993, 465]}}, {993, 465}),
        ({"config": {"servers": SERVERS, "rates": {"url": "redis://redis.example.org"}}}, {993, 6379}),
        ({"config": {"servers": SERVERS, "rates": {"url": "rediss://redis.example.org:6400/0?x=y:1"}}}, {993, 6400}),
        ({"config": {"servers": SERVERS, "rates": {"url": "redis+unix:///run/redis.sock"}}}, {993}),
        ({"config": {"servers": SERVERS, "rates": {"address": "9/minute"}}}, {993}),
        ({"extraEnv": [env("CASELLA_RATES__URL", "redis://:p%2Fw@[2001:db8::1]:6381/1")]}, {6381}),
        ({"extraEnv": [env("CASELLA_RATES__URL", "redis://[2001:db8::1]/1")]}, {6379}),
        ({"extraEnv": [env("CASELLA_RATES__URL")]}, {6379}),
        ({"extraEnv": [env("CASELLA_STORE__URL", "postgresql://u:p@a.example.org,b.example.org:5433/casella")]}, {5432, 5433}),
        ({"extraEnv": [env("CASELLA_STORE__URL")]}, {5432}),
        ({"extraEnv": [env("CASELLA_STORE__URL", "sqlite:////var/lib/casella")]}, set()),
        ({"storeSecret": {"name": "database"}, "secretKeys": [KEY]}, {5432}),
        ({"extraEnv": [env("OTEL_EXPORTER_OTLP_ENDPOINT", "http://collector:4318")]}, {4318}),
        ({"extraEnv": [env("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "https://collector.example.org/v1/traces")]}, {443}),
        ({"extraEnv": [env("CASELLA_SERVERS__HOME__IMAP__PORT", "1143"), env("CASELLA_ANY_SERVER", "false")]}, {1143}),
        ({"extraEnv": [env("CASELLA_ANY_SERVER", "True"), env("CASELLA_ACCESS_LOG")]}, {143, 993, 110, 995, 465, 587}),
    ],
    ids=str,
)  # fmt: skip
def test_the_policy_follows_the_configuration(values: Object, ports: set[int]) -> None:
    """What is named can be connected to, and nothing else: a rule without ports would open all of them."""
    _, *rules = one(render(values), "NetworkPolicy")["spec"]["egress"]
    assert all(rule["ports"] for rule in rules)
    assert [each["port"] for rule in rules for each in rule["ports"]] == list(
        dict.fromkeys(each["port"] for rule in rules for each in rule["ports"])
    )
    assert {each["port"] for rule in rules for each in rule["ports"]} == ports


def test_the_metrics_are_only_for_the_cluster(full: list[Object]) -> None:
    """An Ingress, a route or a service with its own address leads to the port of the API and to no other."""
    api, own = service(full, "http"), service(full, "metrics")
    assert [each["name"] for each in api["spec"]["ports"]] == ["http"]
    assert [each["name"] for each in own["spec"]["ports"]] == ["metrics"]
    assert (api["spec"]["type"], own["spec"].get("type"), own["spec"]["clusterIP"]) == ("LoadBalancer", None, "None")
    assert "annotations" not in own["metadata"] or "example.org/zone" not in own["metadata"]["annotations"]
    outside = json.dumps([each for each in full if each["kind"] in {"Ingress", "HTTPRoute", "BackendTrafficPolicy"}])
    assert own["metadata"]["name"] not in outside
    assert '"metrics"' not in outside
    ports = {each["name"]: each["containerPort"] for each in container(full)["ports"]}
    assert ports == {"http": 8000, "metrics": 9999}
    assert {"--metrics-host=0.0.0.0", "--metrics-port=9999"} <= set(container(full)["args"])
    assert "--metrics-port=9464" in container(render())["args"]


def test_the_values_say_which_pods_may_scrape(full: list[Object]) -> None:
    api, metrics = one(full, "NetworkPolicy")["spec"]["ingress"]
    assert [each["port"] for each in api["ports"]] == ["http"]
    assert metrics == {
        "ports": [{"port": "metrics"}],
        "from": [{"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "monitoring"}}}],
    }
    [only] = one(render(), "NetworkPolicy")["spec"]["ingress"]
    assert only == {"ports": [{"port": "http"}]}


@pytest.mark.parametrize("name", ["", "n" * 63], ids=["short", "long"])
def test_the_policy_lets_the_test_of_the_release_in(name: str) -> None:
    """Also if it names the clients."""
    clients = [{"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "ingress"}}}]
    objects = render({"nameOverride": name, "networkPolicy": {"clients": clients}})
    tester, *others = one(objects, "NetworkPolicy")["spec"]["ingress"][0]["from"]
    labels = one(objects, "Pod")["metadata"]["labels"]
    assert others == clients
    assert tester["podSelector"]["matchLabels"].items() <= labels.items()
    assert all(len(value) <= 63 for value in labels.values())


def test_labels_of_the_operator_hide_no_object() -> None:
    """Services, policies and the deployment itself find pods by the labels of the chart."""
    objects = render({"commonLabels": {"app.kubernetes.io/name": "ours", "team": "platform"}})
    pods = one(objects, "Deployment")["spec"]["template"]["metadata"]["labels"]
    assert one(objects, "Deployment")["spec"]["selector"]["matchLabels"].items() <= pods.items()
    assert pods["team"] == "platform"


def test_names_of_services_are_short_enough() -> None:
    for each in render({"fullnameOverride": "x" * 63}):
        assert each["kind"] != "Service" or len(each["metadata"]["name"]) <= 63


@pytest.mark.parametrize(
    ("ingress", "annotations"),
    [
        ({"className": "haproxy"}, HAPROXY),
        ({"className": "edge", "controller": "haproxy"}, HAPROXY),
        ({"className": "haproxy", "annotations": {"haproxy.org/timeout-server": "9s"}}, HAPROXY | {"haproxy.org/timeout-server": "9s"}),
        ({"className": "nginx-public"}, NGINX),
        ({"className": "traefik", "annotations": {"example.org/zone": "a"}}, {"example.org/zone": "a"}),
        ({"className": "haproxy", "controller": "other"}, {}),
        ({}, {}),
    ],
    ids=str,
)  # fmt: skip
def test_annotations_follow_the_class(ingress: Object, annotations: dict[str, str]) -> None:
    made = one(render({"ingress": {"enabled": True} | ingress}), "Ingress")["metadata"].get("annotations", {})
    assert made.items() >= annotations.items()
    assert bool(made) == bool(annotations)


def test_an_account_stays_on_one_pod(full: list[Object]) -> None:
    assert one(full, "Ingress")["metadata"]["annotations"].items() >= HAPROXY.items()
    policy = one(full, "BackendTrafficPolicy")["spec"]
    assert policy["targetRefs"][0]["name"] == one(full, "HTTPRoute")["metadata"]["name"]
    assert policy["loadBalancer"]["consistentHash"] == {"type": "Header", "header": {"name": "Authorization"}}
    route = {"enabled": True, "parentRefs": [{"name": "public"}], "affinity": "istio"}
    rule = one(render({"httpRoute": route}), "DestinationRule")["spec"]
    assert rule["trafficPolicy"]["loadBalancer"] == {"consistentHash": {"httpHeaderName": "Authorization"}}


def test_the_route_leads_to_the_service(full: list[Object]) -> None:
    """Its schema is not Kubernetes' own: this is its shape in gateway.networking.k8s.io/v1."""
    route, api = one(full, "HTTPRoute"), service(full, "http")
    assert route["apiVersion"] == "gateway.networking.k8s.io/v1"
    assert route["spec"] == {
        "parentRefs": [{"name": "public", "namespace": "gateways"}],
        "hostnames": ["casella.example.org"],
        "rules": [
            {
                "matches": [{"path": {"type": "PathPrefix", "value": "/"}}],
                "backendRefs": [{"name": api["metadata"]["name"], "port": api["spec"]["ports"][0]["port"]}],
            }
        ],
    }


def test_prometheus_finds_the_pods(full: list[Object]) -> None:
    monitor, own, api = one(full, "ServiceMonitor"), service(full, "metrics"), service(full, "http")
    assert monitor["apiVersion"] == "monitoring.coreos.com/v1"
    assert monitor["metadata"]["labels"]["release"] == "prometheus"
    wanted = monitor["spec"]["selector"]["matchLabels"].items()
    assert wanted <= own["metadata"]["labels"].items()
    assert not wanted <= api["metadata"]["labels"].items()
    (endpoint,) = monitor["spec"]["endpoints"]
    assert (endpoint["port"], endpoint["path"]) == (own["spec"]["ports"][0]["name"], "/metrics")
    assert endpoint["relabelings"] == [
        {"targetLabel": "job", "replacement": api["metadata"]["name"]},
        {"targetLabel": "cluster", "replacement": "one"},
    ]
    assert endpoint["metricRelabelings"] == [{"action": "labeldrop", "regex": "instance"}]


def test_alerts_say_what_to_do(full: list[Object]) -> None:
    rule = one(full, "PrometheusRule")
    assert rule["apiVersion"] == "monitoring.coreos.com/v1"
    (group,) = rule["spec"]["groups"]
    *ours, theirs = group["rules"]
    assert theirs["alert"] == "Ours"
    for alert in ours:
        assert alert["labels"]["severity"] in {"warning", "critical"}
        assert alert["annotations"].keys() == {"summary", "description", "runbook_url"}
        assert f'job="mail-api",namespace="{NAMESPACE}"' in alert["expr"]


@pytest.mark.parametrize(
    ("values", "page"),
    [
        ({}, f"http://{RELEASE}-casella.{NAMESPACE}:80/guides/alerts"),
        ({"ingress": {"enabled": True}}, "https://casella.example.org/guides/alerts"),
        ({"ingress": {"enabled": True, "hosts": [ANY_HOST]}}, f"http://{RELEASE}-casella.{NAMESPACE}:80/guides/alerts"),
        ({"prometheusRule": {"enabled": True, "runbookUrl": "https://wiki.example.org/casella"}}, "https://wiki.example.org/casella"),
    ],
    ids=["in the cluster", "public", "any host", "ours"],
)  # fmt: skip
def test_each_alert_leads_to_its_runbook(values: Object, page: str) -> None:
    (group,) = one(render({"prometheusRule": {"enabled": True}} | values), "PrometheusRule")["spec"]["groups"]
    headings = anchors(ROOT / "docs" / "alerts.md")
    for alert in group["rules"]:
        address, _, heading = alert["annotations"]["runbook_url"].partition("#")
        assert (address, heading) == (page, alert["alert"].lower())
        assert heading in headings


def test_alerts_and_dashboard_use_existing_metrics(full: list[Object]) -> None:
    """501 says what a mailbox cannot do, and is not an error."""
    expressions = [alert["expr"] for alert in one(full, "PrometheusRule")["spec"]["groups"][0]["rules"][:-1]]
    boards = [json.loads(each["data"]["casella.json"]) for each in full if "casella.json" in each.get("data", {})]
    expressions += [target["expr"] for panel in boards[0]["panels"] for target in panel["targets"]]
    assert len(expressions) > 15
    for expression in expressions:
        for name, matchers in re.findall(r"(\w+)\{([^}]*)\}", expression):
            labels = METRICS[re.sub("_(bucket|count|sum)$", "", name)] | {"le"}
            assert set(re.findall(r"(\w+)[=!]~?", matchers)) <= labels | {"job", "namespace"}
            assert not re.search(r'status=~"5\.\.', matchers) or 'status!="501"' in matchers


def test_a_package_holds_only_the_chart(tmp_path: Path) -> None:
    helm("package", str(CHART), "--destination", str(tmp_path))
    with tarfile.open(tmp_path / f"casella-{__version__}.tgz") as package:
        names = {name.removeprefix("casella/").split("/")[0] for name in package.getnames()}
    assert names == {"Chart.yaml", "README.md", "values.yaml", "values.schema.json", "templates", "dashboards"}

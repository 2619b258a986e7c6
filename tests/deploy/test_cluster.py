"""A real kube-apiserver accepts the chart: not only its schemas, but all it checks before it stores an object. `make cluster` runs these."""

import os
import shutil
from collections.abc import Iterator
from functools import reduce
from pathlib import Path

import pytest

pytest.importorskip("yaml", reason="make cluster installs it")
pytest.importorskip("allpairspy", reason="make cluster installs it")
import yaml

from tests.deploy.apiserver import ApiServer, Cluster
from tests.deploy.chart import CHART, RELEASE, Object, Refused, helm, one
from tests.deploy.test_chart import FILES, FULL
from tests.deploy.test_values import NAMES, ROWS, SWITCHES, merged

pytestmark = pytest.mark.cluster
NEEDED = 27  # the chart's kubeVersion
LATER: dict[int, Object] = {
    23: {"service": {"ipFamilyPolicy": "", "ipFamilies": []}},
    30: {"lifecycle": {}},  # preStop.sleep
}
"""What the examples leave out on a server that is older than this minor version."""
DEMANDS: dict[str, Object] = {
    "autoscaling/v2": {"autoscaling": {"enabled": False}},
    "policy/v1": {"podDisruptionBudget": {"enabled": False}},
    "gateway.networking.k8s.io/v1": {"httpRoute": {"enabled": False}},
    "gateway.envoyproxy.io/v1alpha1": {"httpRoute": {"affinity": ""}},
    "networking.istio.io/v1": {"httpRoute": {"affinity": ""}},
    "monitoring.coreos.com/v1": {"serviceMonitor": {"enabled": False}, "prometheusRule": {"enabled": False}},
}
"""What they leave out on a server that does not have these kinds."""


@pytest.fixture(scope="module")
def cluster() -> Iterator[Cluster]:
    """The one that CASELLA_CONTEXT names in the kubeconfig, where nothing is stored; else one of our own."""
    if context := os.environ.get("CASELLA_CONTEXT"):
        yield Cluster(context, "default")
        return
    with ApiServer() as server:
        yield server.cluster


@pytest.fixture(scope="module")
def chart(cluster: Cluster, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The chart. For a server that is older than it allows, a copy that allows it: then all but the version is as it is."""
    if cluster.minor >= NEEDED:
        return CHART
    copy = shutil.copytree(CHART, tmp_path_factory.mktemp("old") / "helm")
    text = (copy / "Chart.yaml").read_text()
    assert f'kubeVersion: ">=1.{NEEDED}.0-0"' in text
    (copy / "Chart.yaml").write_text(text.replace(f">=1.{NEEDED}.0-0", f">=1.{cluster.minor}.0-0"))
    return copy


def fitting(cluster: Cluster, values: Object) -> Object:
    """The values without what this server does not have."""
    lacks = [less for minor, less in LATER.items() if cluster.minor < minor]
    lacks += [less for version, less in DEMANDS.items() if version not in cluster.api_versions]
    return reduce(merged, lacks, values)


def try_out(cluster: Cluster, chart: Path, values: Object) -> list[str]:
    """What the server says of each object, all of which it checks and none of which it stores."""
    text = helm("template", RELEASE, str(chart), "--namespace", cluster.namespace, values=fitting(cluster, values))
    said = cluster.kubectl("apply", "--dry-run=server", "--filename", "-", text=text).splitlines()
    assert all(line.endswith("(server dry run)") for line in said)
    assert len(said) == len([each for each in yaml.safe_load_all(text) if each])
    return said


def read(file: Path) -> Object:
    return dict(yaml.safe_load(file.read_text()) or {})


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_helm_installs_it(cluster: Cluster, chart: Path, file: Path) -> None:
    values = fitting(cluster, read(file))
    assert "NOTES:" in helm("install", RELEASE, str(chart), "--dry-run=server", *cluster.for_helm, values=values)


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_the_server_accepts_each_object(cluster: Cluster, chart: Path, file: Path) -> None:
    kinds = {line.split("/")[0] for line in try_out(cluster, chart, read(file))}
    assert kinds >= {"deployment.apps", "service", "networkpolicy.networking.k8s.io", "pod"}


@pytest.mark.parametrize("row", ROWS, ids="-".join)
def test_the_server_accepts_each_combination(cluster: Cluster, chart: Path, row: tuple[str, ...]) -> None:
    try_out(cluster, chart, reduce(merged, (SWITCHES[name][choice] for name, choice in zip(NAMES, row, strict=True))))


@pytest.mark.parametrize(
    ("values", "reason"),
    [
        ({"commonLabels": {"team": "a b"}}, "Invalid value"),
        ({"extraVolumeMounts": [{"name": "none", "mountPath": "/none"}]}, "Not found"),
        ({"livenessProbe": {"tcpSocket": {"port": 1}}}, "more than 1 handler type"),
    ],
    ids=["label", "volume", "probe"],
)
def test_the_server_sees_what_schemas_do_not(cluster: Cluster, chart: Path, values: Object, reason: str) -> None:
    """So the other tests can fail."""
    with pytest.raises(Refused, match=reason):
        try_out(cluster, chart, values)


def test_a_release_is_installed_upgraded_and_rolled_back(cluster: Cluster, chart: Path) -> None:
    """An upgrade changes nothing that cannot be changed, such as a selector, and an uninstalled release leaves nothing."""
    if not cluster.is_ours:
        pytest.skip("nothing is stored in a cluster of others")
    # A server of before 1.22 demands what it would add itself from a client that lets it merge.
    way = f"--server-side={str(cluster.minor >= 22).lower()}"
    helm("install", RELEASE, str(chart), way, *cluster.for_helm, values=fitting(cluster, {}))
    full = fitting(cluster, read(FULL) | {"fullnameOverride": ""})
    helm("upgrade", RELEASE, str(chart), way, *cluster.for_helm, values=full)
    assert one(stored(cluster), "Ingress")["spec"]["ingressClassName"] == "haproxy"
    helm("rollback", RELEASE, "1", way, *cluster.for_helm)
    objects = stored(cluster)
    assert "Ingress" not in {each["kind"] for each in objects}
    assert one(objects, "Deployment")["spec"]["template"]["spec"]["containers"][0]["args"][0] == "demo"
    helm("uninstall", RELEASE, *cluster.for_helm)
    assert stored(cluster) == []


def stored(cluster: Cluster) -> list[Object]:
    """The objects of the release."""
    kinds = "deployments,services,ingresses,configmaps,secrets,serviceaccounts,networkpolicies"
    labels = f"app.kubernetes.io/instance={RELEASE}"
    return list(yaml.safe_load(cluster.kubectl("get", kinds, "--selector", labels, "--output", "yaml"))["items"])

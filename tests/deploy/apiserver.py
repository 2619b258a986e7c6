"""A real kube-apiserver with its etcd, which .ci/cluster makes; or a cluster that a context of the kubeconfig names."""

import json
import os
import shutil
import subprocess
import tempfile
import time
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from tests.deploy.chart import ROOT, Refused
from tests.servers.process import HOST, Started, end, free_ports
from tests.servers.tls import Certificate, make_certificate

PROGRAMS = Path(os.environ.get("CLUSTER", ROOT / "build" / "cluster"))
START_SECONDS = 60.0
TOKEN = "administrator"


@dataclass(frozen=True)
class Cluster:
    """Where helm and kubectl go to."""

    context: str
    namespace: str
    kubeconfig: Path | None = None
    """None: the caller's, whose cluster is never written to."""

    @property
    def is_ours(self) -> bool:
        return self.kubeconfig is not None

    @property
    def for_helm(self) -> list[str]:
        """helm's options."""
        return [*self._file, "--kube-context", self.context, "--namespace", self.namespace]

    @property
    def _file(self) -> list[str]:
        return ["--kubeconfig", str(self.kubeconfig)] if self.kubeconfig else []

    def kubectl(self, *arguments: str, text: str | None = None) -> str:
        """What it prints. Raises Refused with the server's reason."""
        program = str(ROOT / ".tools" / "kubectl")
        words = [program, *self._file, "--context", self.context, "--namespace", self.namespace, *arguments]
        done = subprocess.run(words, input=text, capture_output=True, text=True, check=False, timeout=60)
        if done.returncode:
            raise Refused(done.stderr)
        return done.stdout

    @cached_property
    def minor(self) -> int:
        """30 of Kubernetes 1.30."""
        version = json.loads(self.kubectl("version", "--output", "json"))["serverVersion"]
        return int(version["minor"].rstrip("+"))

    @cached_property
    def api_versions(self) -> set[str]:
        return set(self.kubectl("api-versions").split())


class ApiServer(Started):
    """One that holds objects and runs nothing: it has no controllers and no nodes. It ends without a trace."""

    def __init__(self) -> None:
        self._folder = Path()
        self._processes: list[subprocess.Popen[bytes]] = []

    @property
    def cluster(self) -> Cluster:
        return Cluster("ours", "post", self._folder / "kubeconfig")

    def start(self) -> None:
        """Returns when it is ready, with the namespace."""
        self._folder = Path(tempfile.mkdtemp(prefix="cluster-"))
        etcd, peer, api = free_ports(3)
        try:
            self._run("etcd", *self._etcd(etcd, peer))
            certificate = make_certificate(self._folder)
            self._run("kube-apiserver", *self._api(etcd, api, certificate))
            self._write_kubeconfig(api, certificate)
            self._wait()
            self.cluster.kubectl("create", "namespace", self.cluster.namespace)
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        while self._processes:
            end(self._processes.pop())
        shutil.rmtree(self._folder, ignore_errors=True)

    def _etcd(self, port: int, peer: int) -> list[str]:
        own, others = f"http://{HOST}:{port}", f"http://{HOST}:{peer}"
        return [
            *("--data-dir", f"{self._folder}/etcd", "--log-level", "error"),
            *("--listen-client-urls", own, "--advertise-client-urls", own),
            *("--listen-peer-urls", others, "--initial-advertise-peer-urls", others, "--initial-cluster", f"default={others}"),
        ]  # fmt: skip

    def _api(self, etcd: int, port: int, own: Certificate) -> list[str]:
        tokens = self._folder / "tokens"
        tokens.write_text(f'{TOKEN},administrator,1,"system:masters"\n')
        return [
            *("--etcd-servers", f"http://{HOST}:{etcd}", "--bind-address", HOST, "--secure-port", str(port)),
            *("--tls-cert-file", str(own.cert_file), "--tls-private-key-file", str(own.key_file)),
            *("--service-account-key-file", str(own.cert_file), "--service-account-signing-key-file", str(own.key_file)),
            *("--token-auth-file", str(tokens), "--authorization-mode", "RBAC"),
            *("--service-account-issuer", "https://kubernetes.default.svc", "--service-cluster-ip-range", "10.96.0.0/16"),
            # Accounts of pods, and the addresses of servers, are made by controllers that are not here.
            *("--disable-admission-plugins", "ServiceAccount", "--endpoint-reconciler-type", "none"),
        ]  # fmt: skip

    def _run(self, name: str, *options: str) -> None:
        program = PROGRAMS / name
        if not program.exists():
            raise RuntimeError(f"{program} is not there: make cluster builds it")
        with (self._folder / f"{name}.log").open("wb") as log:
            self._processes.append(
                subprocess.Popen([program, *options], stdout=log, stderr=log, cwd=self._folder, start_new_session=True)
            )

    def _write_kubeconfig(self, port: int, own: Certificate) -> None:
        server = {
            "server": f"https://{HOST}:{port}",
            "certificate-authority": str(own.ca_file),
        }
        context = {"cluster": "ours", "user": "ours"}
        (self._folder / "kubeconfig").write_text(
            json.dumps(
                {
                    "apiVersion": "v1",
                    "kind": "Config",
                    "clusters": [{"name": "ours", "cluster": server}],
                    "users": [{"name": "ours", "user": {"token": TOKEN}}],
                    "contexts": [{"name": "ours", "context": context}],
                }
            )
        )

    def _wait(self) -> None:
        deadline = time.monotonic() + START_SECONDS
        while reason := self._not_ready():
            if time.monotonic() > deadline or any(process.poll() is not None for process in self._processes):
                logs = "".join(file.read_text(errors="replace")[-2000:] for file in self._folder.glob("*.log"))
                raise TimeoutError(f"The kube-apiserver is not ready: {reason}\n{logs}")
            time.sleep(0.1)

    def _not_ready(self) -> str:
        """The reason; empty if it is ready."""
        try:
            return self.cluster.kubectl("get", "--raw", "/readyz").removeprefix("ok")
        except Refused as refused:
            return str(refused)

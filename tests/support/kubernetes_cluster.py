"""A real Kubernetes control plane on this machine: etcd, API server, controllers; no node, so no pod ever runs.

What it judges is real: every field of a manifest, admission (policies with their expressions, Pod Security, quotas),
roles, tokens of service accounts, the deletion of namespaces.
"""

from __future__ import annotations

import base64
import contextlib
import json
import os
import signal
import ssl
import subprocess
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Self

import httpx
import yaml
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from provider_api.deploy.addresses import free_port
from tests.support.clients import INSTALLED, require_client

ADMIN = "an-administrators-token-of-a-test"
START_SECONDS = 90
SERVICES = "10.96.0.0/16"


class ControlPlane:
    """`with ControlPlane(folder) as cluster: cluster.kubectl("get", "namespaces")`. `kubeconfig`: as administrator."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.kubeconfig = folder, folder / "kubeconfig"
        self._ports = {name: free_port() for name in ("etcd", "peer", "api", "manager")}
        self._processes: list[subprocess.Popen[bytes]] = []

    @property
    def url(self) -> str:
        return f"https://127.0.0.1:{self._ports['api']}"

    def __enter__(self) -> Self:
        require_client("kubernetes")
        self.folder.mkdir(parents=True, exist_ok=True)
        try:
            self._start()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        for process in reversed(self._processes):
            with contextlib.suppress(ProcessLookupError):
                process.send_signal(signal.SIGKILL)
            process.wait(60)

    def _start(self) -> None:
        etcd, api = (f"http://127.0.0.1:{self._ports['etcd']}", self.folder / "service-accounts.key")
        peer = f"http://127.0.0.1:{self._ports['peer']}"
        self._run(
            "etcd", "--data-dir", str(self.folder / "etcd"), "--unsafe-no-fsync",
            "--listen-client-urls", etcd, "--advertise-client-urls", etcd,
            "--listen-peer-urls", peer, "--initial-advertise-peer-urls", peer, "--initial-cluster", f"default={peer}",
        )  # fmt: skip
        key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        api.write_bytes(
            key.private_bytes(
                serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
            )
        )
        tokens = self.folder / "tokens.csv"
        tokens.write_text(f'{ADMIN},admin,admin,"system:masters"\n')
        issuer = "https://kubernetes.default.svc.cluster.local"
        self._run(
            "kube-apiserver", "--etcd-servers", etcd, "--bind-address", "127.0.0.1",
            "--advertise-address", "127.0.0.1", "--secure-port", str(self._ports["api"]),
            "--cert-dir", str(self.folder / "certificates"), "--service-cluster-ip-range", SERVICES,
            "--token-auth-file", str(tokens), "--authorization-mode", "RBAC", "--allow-privileged=true",
            "--service-account-issuer", issuer, "--service-account-signing-key-file", str(api),
            "--service-account-key-file", str(api), "--endpoint-reconciler-type", "none",
        )  # fmt: skip
        self._wait_for(f"{self.url}/readyz")
        self.kubeconfig.write_text(yaml.safe_dump(self._configuration(ADMIN)))
        self._run(
            "kube-controller-manager", "--kubeconfig", str(self.kubeconfig), "--leader-elect=false",
            "--service-account-private-key-file", str(api), "--use-service-account-credentials=false",
            "--secure-port", str(self._ports["manager"]), "--cert-dir", str(self.folder / "certificates"),
        )  # fmt: skip
        self._until(lambda: self.get("namespaces", "default") is not None, "namespaces")
        self._until(lambda: self.get("serviceaccounts", "default", "default") is not None, "service accounts")

    def _run(self, program: str, *words: str) -> None:
        with (self.folder / f"{program}.log").open("ab") as log:
            command = [str(INSTALLED / "kubernetes" / program), *words]
            self._processes.append(subprocess.Popen(command, stdout=log, stderr=log, cwd=self.folder))

    def _configuration(self, token: str) -> dict[str, Any]:
        authority = (self.folder / "certificates" / "apiserver.crt").read_bytes()
        server = {"server": self.url, "certificate-authority-data": base64.b64encode(authority).decode()}
        return {
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{"name": "test", "cluster": server}],
            "users": [{"name": "user", "user": {"token": token}}],
            "contexts": [{"name": "test", "context": {"cluster": "test", "user": "user"}}],
            "current-context": "test",
        }

    def _wait_for(self, address: str) -> None:
        with httpx.Client(verify=False, trust_env=False) as http:  # noqa: S501  (its certificate is being made)

            def ready() -> bool:
                headers = {"Authorization": f"Bearer {ADMIN}"}
                with contextlib.suppress(httpx.TransportError):
                    return http.get(address, headers=headers).status_code == 200
                return False

            self._until(ready, address)

    def _until(self, condition: Any, what: str) -> None:
        deadline = time.monotonic() + START_SECONDS
        while not condition():
            for process in self._processes:
                if process.poll() is not None:
                    raise RuntimeError(f"{process.args} has ended: {self._tail()}")
            if time.monotonic() > deadline:
                raise TimeoutError(f"{what}: {self._tail()}")
            time.sleep(0.2)

    def _tail(self) -> str:
        return "\n".join(path.read_text(errors="replace")[-1500:] for path in sorted(self.folder.glob("*.log")))

    # --- asking it ---------------------------------------------------------------------------------------------------

    def kubeconfig_of(self, token: str, name: str) -> Path:
        """A kubeconfig for somebody else."""
        path = self.folder / f"kubeconfig-{name}"
        path.write_text(yaml.safe_dump(self._configuration(token)))
        return path

    def token_of(self, namespace: str, account: str) -> str:
        """A token of a service account, as a pod would have it."""
        return self.kubectl("create", "token", account, "--namespace", namespace).strip()

    def environ(self, kubeconfig: Path | None = None) -> dict[str, str]:
        programs = f"{INSTALLED / 'kubernetes'}:{os.environ['PATH']}"
        return {**os.environ, "KUBECONFIG": str(kubeconfig or self.kubeconfig), "PATH": programs}

    @contextlib.contextmanager
    def http(self, token: str = ADMIN) -> Iterator[httpx.Client]:
        """The API server, for whoever has the token."""
        authority = ssl.create_default_context(cafile=str(self.folder / "certificates" / "apiserver.crt"))
        headers = {"Authorization": f"Bearer {token}"}
        with httpx.Client(base_url=self.url, verify=authority, headers=headers, trust_env=False, timeout=240) as client:
            yield client

    def kubectl(self, *words: str, text: str | None = None, kubeconfig: Path | None = None) -> str:
        """What it prints; an error is one here, with what it says."""
        command = [str(INSTALLED / "kubernetes" / "kubectl"), *words]
        done = subprocess.run(
            command, input=text, env=self.environ(kubeconfig), capture_output=True, text=True, timeout=240, check=False
        )
        if done.returncode != 0:
            raise KubectlError(done.stderr.strip())
        return done.stdout

    def get(self, kind: str, name: str, namespace: str = "") -> dict[str, Any] | None:
        try:
            where = ("--namespace", namespace) if namespace else ()
            found: dict[str, Any] = json.loads(self.kubectl("get", kind, name, *where, "--output", "json"))
        except KubectlError:
            return None
        return found

    def apply(self, *documents: Mapping[str, Any]) -> None:
        text = yaml.safe_dump_all([dict(each) for each in documents])
        self.kubectl("apply", "--server-side", "--validate=strict", "--filename", "-", text=text)


class KubectlError(Exception):
    """What kubectl said."""

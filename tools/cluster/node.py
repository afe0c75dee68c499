"""The programs of the node, with their configuration: a control plane, containerd with runc, the kubelet, policies."""

from __future__ import annotations

import base64
import json
import shutil
import time
from pathlib import Path
from typing import Any

import yaml

from tools.cluster import certificates, supervisor
from tools.cluster.images import PAUSE
from tools.cluster.places import (
    API_SERVER,
    BESIDE_ADDRESS,
    CGROUP,
    DNS_ADDRESS,
    KUBECONFIG,
    NODE,
    NODE_ADDRESS,
    POD_NETWORK,
    PROGRAMS,
    REGISTRY,
    RUN,
    SERVICE_NETWORK,
)
from tools.cluster.supervisor import Component, Machine

FOLDER = RUN / "node"
CERTIFICATES = FOLDER / "certificates"
SECOND_RUNTIME = "second"  # runc under another name, so that environments may ask for a runtime class
_CONTAINERD_SOCKET = "/run/containerd/containerd.sock"
# The kubelet gives the limits of the whole node's pods to this group.
_GROUP = f"/{CGROUP}"


def make() -> None:
    """Write every configuration, and the list that the supervisor starts."""
    tokens = certificates.make(CERTIFICATES)
    for folder in ("lib/kubelet", "lib/c2d-results", "log", "cni", "registries", "containerd"):
        (FOLDER / folder).mkdir(parents=True)
    (FOLDER / "lib" / "c2d-results").chmod(0o777)
    files = {
        "containerd.toml": _containerd(),
        # The registry beside the node answers for all.
        "registries/_default/hosts.toml": f'[host."http://{BESIDE_ADDRESS}:{REGISTRY.split(":")[1]}"]\n',
        "cni/10-bridge.conflist": json.dumps(_network()),
        "kubelet.yaml": yaml.safe_dump(_kubelet()),
        "hosts": f"127.0.0.1 localhost\n{NODE_ADDRESS} {NODE}\n",
        "resolv.conf": f"nameserver {BESIDE_ADDRESS}\n",  # nobody answers there
    }
    for name, text in files.items():
        (FOLDER / name).parent.mkdir(parents=True, exist_ok=True)
        (FOLDER / name).write_text(text)
    for name, account in _KUBECONFIGS.items():
        (FOLDER / name).write_text(
            yaml.safe_dump(_kubeconfig(tokens[account], FOLDER / "api-server" / "apiserver.crt"))
        )
        (FOLDER / name).chmod(0o600)
    Machine(
        _components(),
        mounts={
            "/run": "tmpfs",
            "/var/lib": str(FOLDER / "lib"),
            "/var/log": str(FOLDER / "log"),
            "/etc/hosts": str(FOLDER / "hosts"),
            "/etc/resolv.conf": str(FOLDER / "resolv.conf"),
        },
        settings={"net/ipv4/ip_forward": "1", "net/bridge/bridge-nf-call-iptables": "1"},
    ).write(FOLDER)


def names() -> list[str]:
    """The programs that can be killed."""
    return [component.name for component in _components()]


def lose() -> None:
    """Everything on the node ends at once, and the node starts again with what is on its disk, as a machine does."""
    supervisor.stop(FOLDER)
    remove_groups()
    make_groups()
    supervisor.start(NODE, FOLDER)


def kubeconfig_for_users() -> None:
    """The administrator's, with the certificate in it; call it when the API server has made that."""
    found = yaml.safe_load((FOLDER / "administrator.kubeconfig").read_text())
    for each in found["clusters"]:
        authority = Path(each["cluster"].pop("certificate-authority")).read_bytes()
        each["cluster"]["certificate-authority-data"] = base64.b64encode(authority).decode()
    KUBECONFIG.touch(mode=0o600)
    KUBECONFIG.write_text(yaml.safe_dump(found))


def make_groups() -> None:
    """The control group of all pods, in each hierarchy of this machine."""
    for parent in _hierarchies():
        (parent / CGROUP).mkdir(exist_ok=True)
        if parent.name == "cpuset":  # of version 1: a new group may use nothing until it is told
            for name in ("cpuset.cpus", "cpuset.mems"):
                (parent / CGROUP / name).write_text((parent / name).read_text())


def remove_groups() -> None:
    """Processes that were killed a moment ago may still be in them. Raises `RuntimeError` after ten seconds."""
    deadline = time.monotonic() + 10
    root = Path("/sys/fs/cgroup")
    for parent in (root, *(path for path in root.iterdir() if path.is_dir())):  # containerd uses the unified one too
        if not (parent / CGROUP).is_dir():
            continue
        while left := [*sorted((parent / CGROUP).rglob("*/"), reverse=True), parent / CGROUP]:
            try:
                for folder in left:
                    if folder.is_dir():
                        folder.rmdir()
                break
            except OSError as exc:
                if time.monotonic() > deadline:
                    raise RuntimeError(f"control groups cannot be removed: {exc}") from exc
                time.sleep(0.2)


def _hierarchies() -> list[Path]:
    root = Path("/sys/fs/cgroup")
    if (root / "cgroup.controllers").exists():
        return [root]
    return [path for path in root.iterdir() if path.is_dir() and not path.is_symlink() and path.name != "unified"]


_KUBECONFIGS = {
    "administrator.kubeconfig": "administrator",
    "kubelet.kubeconfig": f"system:node:{NODE}",
    "kube-controller-manager.kubeconfig": "system:kube-controller-manager",
    "kube-scheduler.kubeconfig": "system:kube-scheduler",
    "kube-proxy.kubeconfig": "system:kube-proxy",
    "kube-router.kubeconfig": "kube-router",
}


def _components() -> list[Component]:
    def one(name: str, *words: str) -> Component:
        path = f"{PROGRAMS}:/usr/sbin:/usr/bin:/sbin:/bin"
        program = shutil.which(name, path=path)
        return Component(name, [program or name, *words], {"PATH": path, "HOME": "/root"}, str(FOLDER))

    def of(name: str) -> str:
        return str(FOLDER / f"{name}.kubeconfig")

    etcd, peer = "http://127.0.0.1:2379", "http://127.0.0.1:2380"
    issuer = "https://kubernetes.default.svc.cluster.local"
    accounts, authority = str(CERTIFICATES / "accounts.key"), str(FOLDER / "api-server" / "apiserver.crt")
    return [
        one(
            "etcd", "--data-dir", str(FOLDER / "etcd"), "--unsafe-no-fsync", "--name", "default",
            "--listen-client-urls", etcd, "--advertise-client-urls", etcd,
            "--listen-peer-urls", peer, "--initial-advertise-peer-urls", peer, "--initial-cluster", f"default={peer}",
        ),
        one(
            "kube-apiserver", "--etcd-servers", etcd, "--advertise-address", NODE_ADDRESS, "--secure-port", "6443",
            "--cert-dir", str(FOLDER / "api-server"), "--service-cluster-ip-range", SERVICE_NETWORK,
            "--authorization-mode", "Node,RBAC", "--enable-admission-plugins", "NodeRestriction",
            "--token-auth-file", str(CERTIFICATES / "tokens.csv"), "--allow-privileged=true",
            "--kubelet-client-certificate", str(CERTIFICATES / "api-server.crt"),
            "--kubelet-client-key", str(CERTIFICATES / "api-server.key"),
            "--service-account-issuer", issuer, "--service-account-signing-key-file", accounts,
            "--service-account-key-file", accounts,
        ),
        one(
            "kube-controller-manager", "--kubeconfig", of("kube-controller-manager"), "--leader-elect=false",
            "--service-account-private-key-file", accounts, "--use-service-account-credentials=true",
            "--root-ca-file", authority, "--allocate-node-cidrs", "--cluster-cidr", POD_NETWORK,
            "--cert-dir", str(FOLDER / "controller-manager"),
        ),
        one(
            "kube-scheduler", "--kubeconfig", of("kube-scheduler"), "--leader-elect=false",
            "--cert-dir", str(FOLDER / "scheduler"),
        ),
        one("containerd", "--config", str(FOLDER / "containerd.toml")),
        one(
            "kubelet", "--config", str(FOLDER / "kubelet.yaml"), "--kubeconfig", of("kubelet"),
            "--hostname-override", NODE, "--node-ip", NODE_ADDRESS, "--cert-dir", str(FOLDER / "kubelet"),
        ),
        one(
            "kube-proxy", "--kubeconfig", of("kube-proxy"), "--hostname-override", NODE, "--cluster-cidr", POD_NETWORK,
            "--proxy-mode", "iptables", "--conntrack-max-per-core", "0", "--conntrack-tcp-timeout-established", "0",
            "--conntrack-tcp-timeout-close-wait", "0",
        ),
        one(
            "kube-router", "--kubeconfig", of("kube-router"), "--hostname-override", NODE, "--run-router=false",
            "--run-firewall=true", "--run-service-proxy=false", f"--service-cluster-ip-range={SERVICE_NETWORK}",
        ),
    ]  # fmt: skip


def _kubeconfig(token: str, authority: Path) -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "c2d", "cluster": {"server": API_SERVER, "certificate-authority": str(authority)}}],
        "users": [{"name": "user", "user": {"token": token}}],
        "contexts": [{"name": "c2d", "context": {"cluster": "c2d", "user": "user"}}],
        "current-context": "c2d",
    }


def _containerd() -> str:
    # Without the right to raise the priority against running out of memory, runc ends where it is asked to.
    limited = "true" if _lacks_resource_capability() else "false"
    return f"""version = 2
root = "{FOLDER}/containerd"
state = "/run/containerd"
[grpc]
address = "{_CONTAINERD_SOCKET}"
[plugins."io.containerd.grpc.v1.cri"]
sandbox_image = "{PAUSE}"
restrict_oom_score_adj = {limited}
[plugins."io.containerd.grpc.v1.cri".containerd]
snapshotter = "overlayfs"
default_runtime_name = "runc"
[plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
runtime_type = "io.containerd.runc.v2"
[plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc.options]
SystemdCgroup = false
[plugins."io.containerd.grpc.v1.cri".containerd.runtimes.{SECOND_RUNTIME}]
runtime_type = "io.containerd.runc.v2"
[plugins."io.containerd.grpc.v1.cri".containerd.runtimes.{SECOND_RUNTIME}.options]
SystemdCgroup = false
[plugins."io.containerd.grpc.v1.cri".cni]
bin_dir = "/usr/lib/cni"
conf_dir = "{FOLDER}/cni"
[plugins."io.containerd.grpc.v1.cri".registry]
config_path = "{FOLDER}/registries"
"""


def _lacks_resource_capability() -> bool:
    line = next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("CapEff"))
    return not int(line.split()[1], 16) & (1 << 24)


def _network() -> dict[str, Any]:
    subnet = POD_NETWORK.replace("/16", "/24")  # of the first node
    ipam = {"type": "host-local", "ranges": [[{"subnet": subnet}]], "routes": [{"dst": "0.0.0.0/0"}]}
    bridge = {"type": "bridge", "bridge": "cni0", "isGateway": True, "hairpinMode": True, "ipam": ipam}
    return {
        "cniVersion": "0.4.0",
        "name": "pods",
        "plugins": [bridge, {"type": "portmap", "capabilities": {"portMappings": True}}],
    }


def _kubelet() -> dict[str, Any]:
    return {
        "apiVersion": "kubelet.config.k8s.io/v1beta1",
        "kind": "KubeletConfiguration",
        "containerRuntimeEndpoint": f"unix://{_CONTAINERD_SOCKET}",
        "authentication": {
            "anonymous": {"enabled": False},
            "webhook": {"enabled": True},
            "x509": {"clientCAFile": str(CERTIFICATES / "clients.crt")},
        },
        "authorization": {"mode": "Webhook"},
        "cgroupDriver": "cgroupfs",
        "cgroupRoot": _GROUP,
        "cgroupsPerQOS": True,
        "enforceNodeAllocatable": ["pods"],
        "failCgroupV1": False,
        "failSwapOn": False,
        "clusterDNS": [DNS_ADDRESS],
        "clusterDomain": "cluster.local",
        "resolvConf": str(FOLDER / "resolv.conf"),
        "imageGCHighThresholdPercent": 100,
        "evictionHard": {"memory.available": "100Mi", "nodefs.available": "1%", "imagefs.available": "1%"},
        "evictionPressureTransitionPeriod": "10s",
        "localStorageCapacityIsolation": True,
        "serializeImagePulls": False,
        "syncFrequency": "10s",
        "volumeStatsAggPeriod": "10s",
        "maxPods": 110,
    }

"""Where everything lies and which addresses there are: the node's are those that kind gives its own."""

from __future__ import annotations

from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parents[2]
# In the checkout. `KEPT` stays between runs; `RUN` is removed by `make cluster-down`.
FOLDER: Final = ROOT / ".cluster"
KEPT, RUN = FOLDER / "kept", FOLDER / "run"
PROGRAMS: Final = KEPT / "programs"
KUBERNETES: Final = ROOT / "tests" / "clients" / "kubernetes"  # the modules' versions
MODULES: Final = Path(__file__).with_name("modules")
# The checkout in which the pages' commands run: files that they make lie there.
CHECKOUT: Final = RUN / "user" / "checkout"

NODE, BESIDE = "c2d-node", "c2d-beside"  # network namespaces; the node's name in Kubernetes is the first
NODE_ADDRESS, BESIDE_ADDRESS = "172.18.0.2", "172.18.0.1"
NODE_NETWORK, POD_NETWORK, SERVICE_NETWORK = "172.18.0.0/16", "10.244.0.0/16", "10.96.0.0/16"
DNS_ADDRESS: Final = "10.96.0.10"
# Stands for the internet: a public address that only the namespaces know, as no route leads out of them.
PUBLIC_ADDRESS: Final = "11.0.0.1"
API_SERVER: Final = f"https://{NODE_ADDRESS}:6443"
REGISTRY: Final = "localhost:5000"  # beside the node; the node's containerd knows where that is

CGROUP: Final = "c2d-cluster"
KUBECONFIG: Final = RUN / "kubeconfig"

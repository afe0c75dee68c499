"""The programs that are built with Go, from locked modules: again when a lock or how to build has changed."""

from __future__ import annotations

import functools
import hashlib
import json
import os
import shutil
from dataclasses import dataclass
from pathlib import Path

from tools.cluster.commands import output
from tools.cluster.needs import needed
from tools.cluster.places import KUBERNETES, MODULES, PROGRAMS

_K8S = "k8s.io/kubernetes/cmd"
ARGO = "github.com/argoproj/argo-workflows/v4"


@dataclass(frozen=True)
class Program:
    """`package` of Go, built in the folder of a module whose go.mod and go.sum say which version it is."""

    package: str
    module: Path

    @property
    def name(self) -> str:
        return "etcd" if self.package.startswith("go.etcd.io") else self.package.rsplit("/", 1)[-1]


KUBERNETES_PROGRAMS = [
    Program("go.etcd.io/etcd/server/v3", KUBERNETES),
    *(Program(f"{_K8S}/kube-{name}", KUBERNETES) for name in ("apiserver", "controller-manager", "scheduler", "proxy")),
    *(Program(f"{_K8S}/{name}", KUBERNETES) for name in ("kubelet", "kubectl")),
    Program("helm.sh/helm/v3/cmd/helm", KUBERNETES),
]
NETWORK_PROGRAMS = [
    Program("github.com/cloudnativelabs/kube-router/v2/cmd/kube-router", MODULES / "kube-router"),
    Program("github.com/coredns/coredns", MODULES / "coredns"),
    Program("github.com/rancher/local-path-provisioner", MODULES / "local-path-provisioner"),
    Program("pause", MODULES / "pause"),
]
_ARGO_NAMES = ("workflow-controller", "argoexec", "argo")
ARGO_PROGRAMS = [Program(f"{ARGO}/cmd/{name}", MODULES / "argo") for name in _ARGO_NAMES]
ALL = [*KUBERNETES_PROGRAMS, *NETWORK_PROGRAMS, *ARGO_PROGRAMS]


def version_of(module: Path, path: str) -> str:
    """The version of a module that the lock in that folder names, `v1.2.3`."""
    for line in (module / "go.mod").read_text().splitlines():
        match line.removeprefix("require ").split():
            case [found, version, *_] if found == path and version.startswith("v"):
                return version
    raise LookupError(f"{module}/go.mod does not name {path}")


def module_source(folder: str, module: str) -> Path:
    """The source of a module in Go's cache, fetched if it is not there yet; manifests lie in it."""
    return Path(json.loads(_go(MODULES / folder, "mod", "download", "-json", module))["Dir"])


def build() -> None:
    """Build what is missing or old.

    Raises `RuntimeError` with Go's words, and `CannotRun` where a module is not to be had.
    """
    PROGRAMS.mkdir(parents=True, exist_ok=True)
    for program in ALL:
        wanted, note = _sum(program), PROGRAMS / f"{program.name}.sum"
        if (PROGRAMS / program.name).exists() and note.exists() and note.read_text() == wanted:
            continue
        print(f"building {program.name}", flush=True)
        note.unlink(missing_ok=True)
        chosen = [f"-modfile={_complete_argo()}"] if program.package.startswith(ARGO) else []
        with needed(f"modules of {program.name} are not to be had"):
            _go(program.module, "list", *chosen, "-deps", "-f", "", program.package)  # fetches what is needed
        _go(program.module, "build", *chosen, *_options(program), "-o", str(PROGRAMS / program.name), program.package)
        note.write_text(wanted)


def _options(program: Program) -> list[str]:
    flags = ["-s", "-w"]
    if program.package.startswith((_K8S, "helm.sh")):
        version = version_of(KUBERNETES, "k8s.io/kubernetes")
        major, minor = version.removeprefix("v").split(".")[:2]
        for place in ("k8s.io/component-base/version.git", "helm.sh/helm/v3/pkg/chartutil.k8sVersion"):
            flags += ["-X", f"{place}Major={major}", "-X", f"{place}Minor={minor}"]
        flags += ["-X", f"k8s.io/component-base/version.gitVersion={version}"]
    if program.package.startswith(ARGO):
        flags += ["-X", f"{ARGO}.version={version_of(program.module, ARGO)}"]
    return ["-trimpath", "-buildvcs=false", f"-ldflags={' '.join(flags)}"]


def _complete_argo() -> Path:
    """A go.mod that takes Argo's module from a copy in which nothing lacks. Written before each build, because Go
    leaves in the sums only what that build has used."""
    chosen = PROGRAMS / "argo.mod"
    chosen.write_text((MODULES / "argo" / "go.mod").read_text() + f"\nreplace {ARGO} => {_copy_of_argo()}\n")
    shutil.copyfile(MODULES / "argo" / "go.sum", PROGRAMS / "argo.sum")
    return chosen


@functools.cache
def _copy_of_argo() -> Path:
    """Argo's module comes without the pages of its user interface, which Argo Server embeds, and (as some proxies serve
    it) without a file of its executor."""
    copy = PROGRAMS / "argo-workflows"
    shutil.rmtree(copy, ignore_errors=True)
    with needed("Argo's module is not to be had"):
        source = module_source("argo", ARGO)
    shutil.copytree(source, copy, copy_function=_writable_copy)
    page = "<!doctype html><title>Argo</title><p>Built without its user interface.</p>\n"
    signals = (MODULES / "argo" / "missing" / "signal_linux.go.txt").read_text()
    stand_ins = {"ui/dist/app/index.html": page, "workflow/executor/osspecific/signal_linux.go": signals}
    for name, text in stand_ins.items():
        if not (copy / name).exists():
            (copy / name).parent.mkdir(parents=True, exist_ok=True)
            (copy / name).write_text(text)
    return copy


def _writable_copy(source: str, target: str) -> None:
    shutil.copyfile(source, target)


def _sum(program: Program) -> str:
    content = b"".join(path.read_bytes() for path in sorted(program.module.rglob("*")) if path.is_file())
    how = " ".join([_go_version(), program.package, *_options(program)])
    return hashlib.sha256(content + how.encode()).hexdigest()


@functools.cache
def _go_version() -> str:
    return _go(KUBERNETES, "env", "GOVERSION")


def _go(module: Path, *words: str) -> str:
    environment = {**os.environ, "CGO_ENABLED": "0", "GOFLAGS": "-mod=readonly", "GOGC": "400"}
    return output(["go", *words], folder=module, environment=environment)

"""`c2d doctor` as a process, and the clusters it looks at."""

from __future__ import annotations

import base64
import json
import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml
from nacl.public import PrivateKey

from contract import names
from contract.keys import encode_key
from ocean.chain.development import ENVIRONMENT, PROVIDER, account
from provider_api.keys import keys_of
from tests.support import forks
from tests.support.admission import JOB, job
from tests.support.kube_api import FakeCluster, merged, read_answers
from tests.support.markers import find_markers, marker

ROOT = Path(__file__).parents[2]
ANSWERS = ROOT / "tests" / "integration" / "provider_api" / "doctor" / "answers"
BASE = ROOT / "argo" / "gitops" / "base"
TEMPLATES = "/apis/argoproj.io/v1alpha1/namespaces/jobs/workflowtemplates"
WORKFLOWS = "/apis/argoproj.io/v1alpha1/namespaces/jobs/workflows"
LIMITS = "/api/v1/namespaces/jobs/configmaps/c2d-limits"
PROVIDER_KEY = "0x" + bytes(account(PROVIDER).key).hex()
APART = {"none": {"outside": False, "dns": False}, "outgoing": {"outside": True, "dns": True}}  # as it should be


@dataclass
class Report:
    code: int
    text: str
    errors: str

    @property
    def lines(self) -> list[dict[str, str]]:
        found: list[dict[str, str]] = json.loads(self.text)["lines"]
        return found

    def of(self, name: str) -> list[dict[str, str]]:
        found = [line for line in self.lines if line["name"] == name]
        assert found, f"no line {name}"
        return found

    def levels(self, name: str) -> list[str]:
        return [line["level"] for line in self.of(name)]

    def troubles(self) -> list[tuple[str, str, str]]:
        return [(line["name"], line["level"], line["found"]) for line in self.lines if line["level"] != "ok"]


@dataclass
class Secrets:
    """All that must never be in a report. `environment` is the private box key of every environment."""

    environment: PrivateKey = field(default_factory=PrivateKey.generate)
    cluster_token: str = field(default_factory=lambda: marker("clustertoken"))
    executor_token: str = field(default_factory=lambda: marker("executortoken"))
    store: str = field(default_factory=lambda: marker("storekey"))
    ethereum: str = "0x" + bytes(account(ENVIRONMENT).key).hex()
    provider: str = PROVIDER_KEY
    others: dict[str, str] = field(default_factory=dict)

    def files(self) -> dict[str, str]:
        return {
            "$ca.crt": "-----BEGIN CERTIFICATE-----",
            "$token": self.executor_token,
            "$environment.key": encode_key(self.environment) + "\n",
            "$service.pub": keys_of(self.provider).box_public_text() + "\n",
            "$ethereum.key": self.ethereum + "\n",
            "$store.json": json.dumps({"url": "s3://results", "options": {"secret_access_key": self.store}}),
        }

    def require_absent(self, report: Report) -> None:
        wanted = {
            "environment": encode_key(self.environment),
            "cluster": self.cluster_token,
            "executor": self.executor_token,
            "store": self.store,
            "ethereum": self.ethereum[2:],
            "provider": self.provider[2:],
            **self.others,
        }
        places = [("output", report.text.encode()), ("errors", report.errors.encode())]
        assert find_markers(wanted, places) == []


def good_cluster(secrets: Secrets, bad: Mapping[str, Any] | None = None) -> FakeCluster:
    """The good cluster, or what a file under answers/bad makes of it."""
    bad = bad or {}
    answers = read_answers(ANSWERS / "good")
    files = {name: base64.b64encode(text.encode()).decode() for name, text in secrets.files().items()}
    for document in answers.values():
        data = document.get("data") if document.get("kind") == "Secret" else None
        for name, value in (data or {}).items():
            data[name] = files.get(value, value)
    announced = {
        names.CONSUMER_ADDRESS: account(ENVIRONMENT).address,
        names.BOX_PUBLIC_KEY: encode_key(secrets.environment.public_key),
    }
    templates = []
    for path in sorted((BASE / "environments").glob("*.yaml")):
        deployed = {"metadata": {"annotations": announced, "namespace": "jobs"}}
        template = merged(yaml.safe_load(path.read_text()), deployed)
        templates.append(merged(template, (bad.get("templates") or {}).get(template["metadata"]["name"], {})))
    answers[TEMPLATES] = {"kind": "WorkflowTemplateList", "apiVersion": "argoproj.io/v1alpha1", "items": templates}
    answers[LIMITS] = yaml.safe_load((BASE / "limits.yaml").read_text())
    answers[WORKFLOWS] = {"kind": "WorkflowList", "apiVersion": "argoproj.io/v1alpha1", "items": [job()]}
    answers[f"{WORKFLOWS}/{JOB}"] = job()  # one is under way
    cluster = FakeCluster(answers, bad.get("answers"))
    cluster.token = secrets.cluster_token
    cluster.reached = bad.get("reached", APART)
    cluster.clock_seconds = bad.get("clock_seconds", 0)
    return cluster


def command(*words: str) -> list[str]:
    return [str(Path(sys.executable).parent / "c2d"), "doctor", *words]


def clean_environment(settings: Mapping[str, str], home: Path) -> dict[str, str]:
    """Nothing of this machine's own clusters and settings."""
    kept = {n: v for n, v in os.environ.items() if not n.startswith(("C2D_", "KUBE")) and "proxy" not in n.lower()}
    return {**kept, "HOME": str(home), "C2D_DATA_FOLDER": str(home / "data"), **settings}


def run_doctor(
    home: Path,
    *words: str,
    settings: Mapping[str, str] | None = None,
    cluster: FakeCluster | None = None,
    kubeconfig: Path | None = None,
) -> Report:
    """With `--json`; `cluster` and `kubeconfig` None: on a machine without one."""
    if cluster is not None:
        kubeconfig = cluster.kubeconfig(home / "kubeconfig")
    if kubeconfig is not None:
        words = ("--kubeconfig", str(kubeconfig), *words)
    done = forks.run(forks.C2D, "doctor", "--json", *words, env=clean_environment(settings or {}, home), cwd=home)
    return Report(done.returncode, done.stdout, done.stderr)

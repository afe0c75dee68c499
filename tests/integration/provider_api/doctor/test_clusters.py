"""`c2d doctor` against a fake API server: a good cluster, bad ones, and answers that do not come."""

from __future__ import annotations

import json
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from provider_api.doctor.checks import cluster as cluster_checks
from provider_api.doctor.checks import environments as environment_checks
from provider_api.doctor.checks import placement as placement_checks
from provider_api.doctor.checks import probe as probe_check
from provider_api.doctor.checks.probe import PROGRAM
from tests.support.doctor import ANSWERS, Secrets, clean_environment, command, good_cluster, run_doctor

pytestmark = pytest.mark.integration

BAD = sorted((ANSWERS / "bad").glob("*.json"))
CHECKS = (*cluster_checks.CHECKS, *environment_checks.CHECKS, *placement_checks.CHECKS, probe_check.CHECK)
NAMES = {item.name for check in CHECKS for item in check.items}


@pytest.fixture
def secrets() -> Secrets:
    return Secrets()


def read(path: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(path.read_text())
    return found


def test_a_good_cluster(tmp_path: Path, secrets: Secrets) -> None:
    settings = {"C2D_PROVIDER__KEY": secrets.provider}
    with good_cluster(secrets) as cluster:
        report = run_doctor(tmp_path, "--probe", settings=settings, cluster=cluster)
    assert [trouble for trouble in report.troubles() if trouble[0] in NAMES] == []
    assert (report.code, report.errors) == (0, "")
    assert {line["name"] for line in report.lines} >= NAMES
    assert report.of("environment-keys")[0]["found"] == "belong to each other, and to this service"
    assert (len(cluster.made), cluster.jobs) == (2, {})
    assert {method for method, path in cluster.requests if "authorization" not in path and "authentic" not in path} == {
        "GET",
        "POST",
        "PATCH",  # by dry run: the fake cluster insists on it
        "DELETE",
    }
    secrets.require_absent(report)


@pytest.mark.parametrize("path", BAD, ids=lambda path: path.stem)
def test_a_bad_cluster(tmp_path: Path, secrets: Secrets, path: Path) -> None:
    bad = read(path)
    with good_cluster(secrets, bad) as cluster:
        report = run_doctor(tmp_path, "--probe", "--probe-limit", "2", cluster=cluster)
    for name, expected in bad["expect"].items():
        lines = {line["subject"]: line for line in report.of(name)}
        for subject, level, found in expected:
            line = lines[subject]
            assert (line["level"], found in line["found"]) == (level, True), line
            assert level not in ("failure", "warning") or (line["mend"] and line["expected"])
    failures = [line for line in report.lines if line["level"] == "failure"]
    assert report.code == (1 if failures else 0)
    assert bool(failures) == any("failure" in levels for levels in map(report.levels, bad["expect"]))
    assert cluster.jobs == {}
    secrets.require_absent(report)


def test_each_finding_is_in_a_bad_cluster() -> None:
    expected = [(name, line) for path in BAD for name, lines in read(path)["expect"].items() for line in lines]
    assert NAMES - {name for name, (_, level, _) in expected if level in ("failure", "warning")} == set()


def test_who_may_read_nothing_is_told_so(tmp_path: Path, secrets: Secrets) -> None:
    with good_cluster(secrets) as cluster:
        cluster.forbidden = ("/api/", "/apis/")
        report = run_doctor(tmp_path, "--probe", cluster=cluster)
    asked = NAMES - {"kubernetes-version", "clock-cluster"}  # which everybody may see
    assert {line["level"] for line in report.lines if line["name"] in asked} == {"not checked"}
    assert "an identity that may" in report.of("pod-security")[0]["mend"]
    assert (report.code, cluster.jobs) == (0, {})


def test_rights_are_asked_by_acting_for_the_account_where_reviews_are_refused(tmp_path: Path, secrets: Secrets) -> None:
    with good_cluster(secrets, read(ANSWERS / "bad" / "open.json")) as cluster:
        cluster.forbidden = ("/apis/authorization.k8s.io/v1/subjectaccessreviews",)
        report = run_doctor(tmp_path, cluster=cluster)
        assert report.levels("rights-needed") == ["failure", "ok", "failure"]
        assert report.levels("rights-forbidden") == ["failure", "failure", "failure"]
        cluster.forbidden += ("impersonation",)
        report = run_doctor(tmp_path, cluster=cluster)
    assert report.levels("rights-needed") == ["not checked", "ok", "not checked"]
    assert set(report.levels("rights-forbidden")) == {"not checked"}


def test_the_own_identity_is_asked_about_itself(tmp_path: Path, secrets: Secrets) -> None:
    """As in the service's pod, which may ask about nobody else."""
    with good_cluster(secrets) as cluster:
        cluster.identity = "system:serviceaccount:c2d:provider-api"
        cluster.forbidden = ("/apis/authorization.k8s.io/v1/subjectaccessreviews", "impersonation")
        report = run_doctor(tmp_path, cluster=cluster)
    assert report.levels("rights-needed") == ["ok", "ok", "not checked"]
    assert report.levels("rights-forbidden") == ["ok", "not checked", "not checked"]


def test_answers_that_never_come_or_make_no_sense_are_one_line_each(tmp_path: Path, secrets: Secrets) -> None:
    with good_cluster(secrets) as cluster:
        cluster.hanging = ("/apis/networking.k8s.io/",)
        cluster.garbled = ("/apis/storage.k8s.io/",)
        cluster.answers["/apis/apps/v1/namespaces/argo/deployments/workflow-controller"] = {"$status": 500}
        report = run_doctor(tmp_path, "--limit", "10", cluster=cluster)
    asked = NAMES - {"network-enforced", "admission-tried"}  # (of which the fake one thinks for long)
    troubles = {name: (level, found) for name, level, found in report.troubles() if name in asked}
    assert troubles == {
        "network-policies": ("not checked", "nothing known after 10 s"),
        "api-server-policy": ("not checked", "nothing known after 10 s"),
        "controller-version": ("failure", "the API server answered 500"),
        "storage-class": ("failure", "the check broke (JSONDecodeError)"),
        "requeue-time": ("failure", "the API server answered 500"),
    }
    assert (report.code, report.errors) == (1, "")


def test_a_cluster_that_cannot_be_reached_is_one_failure(tmp_path: Path, secrets: Secrets) -> None:
    with good_cluster(secrets) as cluster:
        report = run_doctor(tmp_path, "--context", "nowhere", cluster=cluster)
        failures = [line["name"] for line in report.lines if line["level"] == "failure"]
        assert (report.code, failures) == (1, ["kubernetes-version"])
        cluster.token = "another"
        stranger = run_doctor(tmp_path, cluster=good_cluster_at(cluster, secrets))
    assert stranger.of("kubernetes-version")[0]["found"] == "the API server does not accept this identity"


def good_cluster_at(cluster: Any, secrets: Secrets) -> Any:
    """The same server, but a kubeconfig with the token that it no longer takes."""

    class Outdated:
        def kubeconfig(self, path: Path) -> Path:
            written: Path = cluster.kubeconfig(path)
            written.write_text(written.read_text().replace("another", secrets.cluster_token))
            return written

    return Outdated()


@pytest.mark.parametrize(
    ("words", "settings", "said"),
    [
        (("--kubeconfig", "missing"), {}, "the kubeconfig cannot be used"),
        (("--context", "unheard-of"), {}, "the kubeconfig cannot be used"),
        ((), {"C2D_ARGO__URLL": "x"}, "unknown setting C2D_ARGO__URLL; did you mean C2D_ARGO__URL?"),
        ((), {"C2D_LIMITS__DATASETS": "secret-text"}, "settings: C2D_LIMITS__DATASETS: "),
    ],
    ids=["kubeconfig", "context", "unknown-setting", "wrong-setting"],
)
def test_it_says_why_it_could_not_run(
    tmp_path: Path, words: tuple[str, ...], settings: dict[str, str], said: str
) -> None:
    report = run_doctor(tmp_path, *words, settings=settings, cluster=None)
    assert (report.code, report.text) == (2, "")
    assert said in report.errors
    assert "secret-text" not in report.errors
    assert "Traceback" not in report.errors


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT], ids=["terminated", "interrupted"])
def test_the_probe_leaves_nothing_behind_when_it_is_ended(tmp_path: Path, secrets: Secrets, number: int) -> None:
    with good_cluster(secrets) as cluster:
        cluster.reached = {}
        words = command("--json", "--probe", "--kubeconfig", str(cluster.kubeconfig(tmp_path / "kubeconfig")))
        process = subprocess.Popen(
            words, env=clean_environment({}, tmp_path), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        deadline = time.monotonic() + 90
        while len(cluster.made) < 2:
            assert time.monotonic() < deadline
            time.sleep(0.05)
        process.send_signal(number)
        output, errors = process.communicate(timeout=240)
        assert (process.returncode, output) == (2, "")
        assert "ended before it was done" in errors
        assert cluster.jobs == {}


def test_what_the_probe_runs_finds_what_it_can_reach(tmp_path: Path) -> None:
    """The program of its pods, on this machine; whether DNS is reached depends on the machine."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        open_port = listener.getsockname()[1]
        for target, outside in ((f"127.0.0.1:{open_port}", True), ("127.0.0.1:9", False)):
            message = tmp_path / "message"
            done = subprocess.run([sys.executable, "-c", PROGRAM, target, message], check=True, capture_output=True)
            assert done.stdout == done.stderr == b""
            assert json.loads(message.read_text())["outside"] is outside


def test_the_report_for_people(tmp_path: Path, secrets: Secrets) -> None:
    with good_cluster(secrets, read(ANSWERS / "bad" / "open.json")) as cluster:
        words = command("--kubeconfig", str(cluster.kubeconfig(tmp_path / "kubeconfig")))
        environment = clean_environment({"COLUMNS": "200"}, tmp_path)
        done = subprocess.run(words, env=environment, capture_output=True, text=True, timeout=240, check=False)
    assert (done.returncode, done.stderr) == (1, "")
    for text in (
        "the controller's workflowRestrictions.templateReferencing",
        "expected: Strict",
        "to mend: set templateReferencing: Strict",
        "docs/how-to/doctor.md",
    ):
        assert text in done.stdout

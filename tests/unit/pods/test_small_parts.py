"""Settings, keys, exit codes, the download plan, the last line of defence of a step program."""

from __future__ import annotations

import stat
from pathlib import Path, PurePosixPath
from typing import Any

import pytest
from nacl.public import PrivateKey

from contract.exit_codes import ExitCode
from contract.job_spec import Algorithm, Binding, InputAsset, JobSpec
from contract.keys import (
    KeyFileInvalid,
    decode_public_key,
    encode_key,
    generate_keys,
    load_or_make_private_key,
    read_key_ring,
    read_private_keys,
)
from pods.configuration.downloads import PlanImpossible, input_index, plan_algorithm, plan_inputs
from pods.program import main
from pods.settings import SettingsInvalid, read_configuration_settings, read_publishing_settings
from pods.step_log import StepLog, size_text

pytestmark = pytest.mark.unit

ENVIRON = {
    "C2D_JOB_ID": "00ab",
    "C2D_ENVIRONMENT": "free",
    "C2D_DATA": "/data",
    "C2D_JOB_SPEC": "/c2d/job-spec",
    "C2D_KEYS": "/c2d/keys",
    "C2D_IMAGE": "img",
    "C2D_SECONDS": "60",
    "C2D_NETWORK": "none",
    "C2D_STORE": "/c2d/store",
    "C2D_RESULTS": "/tmp/results.json",
}
URL = {"type": "url", "url": "https://host.example/x", "method": "GET"}


def test_exit_codes_are_the_agreed_ones() -> None:
    assert {code.name: int(code) for code in ExitCode} == {
        "DONE": 0,
        "INPUTS_NOT_PROVISIONED": 31,
        "ALGORITHM_NOT_PROVISIONED": 32,
        "NOT_COLLECTED": 50,
        "UPLOAD_INCOMPLETE": 62,
        "TRY_AGAIN": 75,
        "JOB_SPEC_REFUSED": 78,
        "PAID_TIME_OVER": 79,
        "TIME_LIMIT": 124,
    }


def test_settings() -> None:
    configuration, publishing = read_configuration_settings(ENVIRON), read_publishing_settings(ENVIRON)
    assert (configuration.seconds, configuration.volume.inputs) == (60, Path("/data/inputs"))
    assert publishing.max_files == 10_000
    assert read_publishing_settings(ENVIRON | {"C2D_MAX_OUTPUT_BYTES": "5"}).max_bytes == 5


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("C2D_JOB_ID", "../x"),
        ("C2D_JOB_ID", ""),
        ("C2D_DATA", "data"),
        ("C2D_SECONDS", "60.5"),
        ("C2D_SECONDS", "0"),
        ("C2D_SECONDS", "-1"),
        ("C2D_SECONDS", ""),
        ("C2D_PARALLEL_DOWNLOADS", "many"),
    ],
)
def test_settings_that_make_no_sense_are_named(name: str, value: str) -> None:
    with pytest.raises(SettingsInvalid, match=name):
        read_configuration_settings(ENVIRON | {name: value})


def test_keys_are_made_once_and_kept(tmp_path: Path) -> None:
    service, later = PrivateKey.generate().public_key, PrivateKey.generate().public_key
    public = generate_keys(tmp_path / "e", service)
    assert generate_keys(tmp_path / "e", service) == public
    ring = read_key_ring(tmp_path / "e")
    assert (ring.environment_keys[0].public_key, ring.service_keys) == (public, (service,))
    assert stat.S_IMODE((tmp_path / "e/environment.key").stat().st_mode) == 0o600
    generate_keys(tmp_path / "e", later)
    assert read_key_ring(tmp_path / "e").service_keys == (later, service)
    assert sorted(path.name for path in (tmp_path / "e").iterdir()) == ["environment.key", "service.pub"]
    assert load_or_make_private_key(tmp_path / "e/environment.key").public_key == public
    assert decode_public_key(encode_key(service)) == service


@pytest.mark.parametrize("text", ["", "\n", "not base64\n", "AAAA\n", "\xe9\n"])
def test_key_files_that_are_none(tmp_path: Path, text: str) -> None:
    path = tmp_path / "environment.key"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(KeyFileInvalid, match=r"environment\.key"):
        read_private_keys(path)
    with pytest.raises(KeyFileInvalid):
        read_private_keys(tmp_path / "missing")
    with pytest.raises(ValueError, match="public key"):
        decode_public_key(text)


def an_input(did: str, service_id: str, *files: dict[str, Any]) -> InputAsset:
    return InputAsset(did=did, service_id=service_id, files=files, ddo={})


def a_spec(*inputs: InputAsset) -> JobSpec:
    return JobSpec(
        binding=Binding(job_id="j", environment="e", image="i", seconds=1, network="none"),
        owner="",
        secret="",
        run_seconds=1,
        inputs=inputs,
        algorithm=Algorithm(entrypoint=""),
        max_input_bytes=1,
    )


def test_two_services_of_one_asset_do_not_overwrite_each_other() -> None:
    planned = plan_inputs(
        a_spec(
            an_input("did:op:aa", "s1", URL, URL),
            an_input("did:op:bb", "s1", URL),
            an_input("did:op:aa", "s2", URL),
            an_input("did:op:aa", "s1", URL),
        )
    )
    assert [str(item.target) for asset in planned for item in asset.downloads] == [
        "aa/0",
        "aa/1",
        "bb/0",
        "aa-2/0",
        "aa-3/0",
    ]
    sizes = {item.target: 7 for asset in planned for item in asset.downloads}
    index = input_index(planned, sizes)
    assert index["inputs"][2] == {
        "did": "did:op:aa",
        "serviceId": "s2",
        "folder": "aa-2",
        "files": [{"path": "aa-2/0", "size": 7}],
    }


@pytest.mark.parametrize("did", ["did:op:../x", "did:op:", "", "did:op:a/b", "did:op:aa-2", "did:op:index.json"])
def test_identifiers_that_are_no_folder_names(did: str) -> None:
    with pytest.raises(PlanImpossible):
        plan_inputs(a_spec(an_input(did, "s", URL)))


def test_inputs_and_algorithms_without_files() -> None:
    with pytest.raises(PlanImpossible):
        plan_inputs(a_spec(an_input("did:op:aa", "s")))
    with pytest.raises(PlanImpossible):
        plan_algorithm(Algorithm(entrypoint="x"))
    with pytest.raises(PlanImpossible, match="number"):
        plan_algorithm(Algorithm(entrypoint="x", files=(URL,), sha256=("a", "b")))
    assert plan_algorithm(Algorithm(entrypoint="x", rawcode="")) == ()
    planned = plan_algorithm(Algorithm(entrypoint="x", files=(URL, URL), sha256=("AA", "BB")))
    assert [(item.target, item.sha256) for item in planned] == [
        (PurePosixPath("algorithm"), "aa"),
        (PurePosixPath("1"), "bb"),
    ]
    assert "host.example" not in repr(planned)


def test_unforeseen_errors_show_no_text(capsys: pytest.CaptureFixture[str]) -> None:
    def fail(error: Exception) -> ExitCode:
        raise error

    assert main("configuration", lambda: fail(OSError("https://secret"))) == ExitCode.TRY_AGAIN
    assert main("configuration", lambda: fail(KeyError("secret"))) == ExitCode.INPUTS_NOT_PROVISIONED
    assert main("publishing", lambda: fail(KeyError("secret"))) == ExitCode.UPLOAD_INCOMPLETE
    assert main("publishing", lambda: ExitCode.DONE) == 0
    shown = capsys.readouterr().err
    assert "secret" not in shown
    assert "KeyError in fail (test_small_parts.py:" in shown


def test_a_step_log_continues_and_hides(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for number in range(2):
        with StepLog(tmp_path / "adminlogs/x.log") as log:
            log.say(f"try {number} of\nhttps://host.example/secret")
    text = (tmp_path / "adminlogs/x.log").read_text()
    assert [line.partition(" ")[2] for line in text.splitlines()] == ["try 0 of [url]", "try 1 of [url]"]
    assert capsys.readouterr().out == text


@pytest.mark.parametrize(
    ("size", "text"), [(0, "0 B"), (999, "999 B"), (1000, "1.0 kB"), (3_400_000, "3.4 MB"), (2 * 10**12, "2.0 TB")]
)
def test_sizes_for_people(size: int, text: str) -> None:
    assert size_text(size) == text

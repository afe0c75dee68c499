"""The configuration step as a process beside a real HTTP server."""

from __future__ import annotations

import hashlib
import json
import os
import stat
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest
from nacl.public import PrivateKey

from contract.exit_codes import ExitCode
from contract.job_spec import Algorithm, Binding

pytestmark = pytest.mark.integration

RAW = Algorithm(rawcode="echo hello from $DIDS\n", entrypoint="sh $ALGO")
BIG = bytes(range(256)) * 4096  # 1 MiB


def mode_of(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_the_volume_is_as_the_contract_says(server: Any, job: Any, make_spec: Any, make_input: Any) -> None:
    first = make_input(1, server.put("/a.csv", b"a" * 1000), server.put("/b.csv", b""))
    second = make_input(2, server.put("/c.csv", BIG))
    again = make_input(1, server.put("/d.csv", b"other service"), service_id="s2")
    program, extra = b"#!/bin/sh\necho algorithm\n", b"extra"
    algorithm = Algorithm(
        did="did:op:" + "c0" * 32,
        ddo={"id": "algorithm", "list": [1, 2]},
        files=(server.put("/algo.sh", program), server.put("/extra", extra)),
        sha256=tuple(hashlib.sha256(content).hexdigest() for content in (program, extra)),
        entrypoint="sh $ALGO",
        custom_data={"threshold": 0.5, "name": "ü"},
    )
    job.write_spec(make_spec(server, [first, second, again], algorithm))
    done = job.run("configuration")
    assert (done.returncode, done.stderr) == (0, ""), done.stdout
    data = job.data
    assert (data / "inputs" / ("01" * 32) / "0").read_bytes() == b"a" * 1000
    assert (data / "inputs" / ("01" * 32) / "1").read_bytes() == b""
    assert (data / "inputs" / ("02" * 32) / "0").read_bytes() == BIG
    assert (data / "inputs" / ("01" * 32 + "-2") / "0").read_bytes() == b"other service"
    index = json.loads((data / "start/inputs.json").read_bytes())
    assert [(entry["serviceId"], entry["folder"]) for entry in index["inputs"]] == [
        ("s1", "01" * 32),
        ("s1", "02" * 32),
        ("s2", "01" * 32 + "-2"),
    ]
    assert index["inputs"][0]["files"][0] == {"path": "01" * 32 + "/0", "size": 1000}
    assert json.loads((data / "inputs/algoCustomData.json").read_bytes()) == {"threshold": 0.5, "name": "ü"}
    expected = json.dumps(first.ddo, separators=(",", ":"), ensure_ascii=False).encode()
    assert (data / "ddos" / ("01" * 32)).read_bytes() == expected
    assert json.loads((data / "ddos" / ("c0" * 32)).read_bytes()) == algorithm.ddo
    assert (data / "transformations/algorithm").read_bytes() == program
    assert (data / "transformations/1").read_bytes() == extra
    assert (data / "logs/algorithm.log").read_bytes() == b""
    assert list((data / "outputs").iterdir()) == []
    assert sorted(path.name for path in data.iterdir()) == [
        *("adminlogs", "ddos", "inputs", "logs", "outputs", "start", "transformations"),
    ]


def test_modes_let_any_user_work(server: Any, job: Any, make_spec: Any, make_input: Any) -> None:
    job.write_spec(make_spec(server, [make_input(1, server.put("/a", b"x"))], RAW))
    previous = os.umask(0o077)
    try:
        assert job.run("configuration").returncode == 0
    finally:
        os.umask(previous)
    data = job.data
    for folder in ("inputs", "inputs/" + "01" * 32, "ddos", "transformations", "start"):
        assert mode_of(data / folder) == 0o755, folder
    for folder in ("outputs", "logs"):
        assert mode_of(data / folder) == 0o777, folder
    for file in ("inputs/" + "01" * 32 + "/0", "start/inputs.json", "inputs/algoCustomData.json", "start/run.sh"):
        assert mode_of(data / file) == 0o644, file
    assert mode_of(data / "transformations/algorithm") == 0o755
    assert mode_of(data / "logs/algorithm.log") == 0o666


def test_what_configuration_wrote_runs(server: Any, job: Any, make_spec: Any, make_input: Any) -> None:
    algorithm = Algorithm(
        rawcode="cat $INPUTS/*/0; echo '{{=1+1}}' >$OUTPUTS/r; exit 5\n" + "#" * 300_000,
        entrypoint="sh $ALGO | cat; sh $ALGO",
    )
    job.write_spec(make_spec(server, [make_input(1, server.put("/a", b"input\n"))], algorithm))
    assert job.run("configuration").returncode == 0
    ran = subprocess.run(
        ["sh", str(job.data / "start/run.sh")], capture_output=True, start_new_session=True, check=False
    )
    assert (ran.returncode, ran.stdout) == (5, b"input\ninput\n")
    assert (job.data / "logs/algorithm.log").read_bytes() == b"input\ninput\n"
    assert (job.data / "outputs/r").read_bytes() == b"{{=1+1}}\n"
    assert json.loads((job.data / "inputs/algoCustomData.json").read_bytes()) == {}
    assert sorted(path.name for path in (job.data / "inputs").iterdir()) == ["01" * 32, "algoCustomData.json"]


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")
def test_an_algorithm_of_any_user_reads_and_writes(server: Any, open_job: Any, make_spec: Any, make_input: Any) -> None:
    job = open_job
    entrypoint = "cat $INPUTS/*/0 $VOLUME/ddos/* >$OUTPUTS/r && mkdir $OUTPUTS/sub && echo x >$LOGS/own && $ALGO"
    algorithm = Algorithm(
        rawcode="#!/bin/sh\nid -u\necho x >$INPUTS/new || echo y >$INPUTS_INDEX", entrypoint=entrypoint
    )
    job.write_spec(make_spec(server, [make_input(1, server.put("/a", b"input\n"))], algorithm))
    assert job.run("configuration").returncode == 0
    ran = subprocess.run(
        ["sh", str(job.data / "start/run.sh")],
        capture_output=True,
        start_new_session=True,
        check=False,
        user=65534,
        group=65534,
        extra_groups=[],
    )
    assert ran.stdout.startswith(b"65534\n")
    assert ran.stdout.count(b"ermission denied") == 2
    assert ran.returncode != 0
    assert (job.data / "outputs/r").read_bytes().startswith(b"input\n{")
    assert (job.data / "logs/algorithm.log").read_bytes() == ran.stdout


def test_a_broken_download_is_resumed(server: Any, job: Any, make_spec: Any, make_input: Any) -> None:
    resumed, restarted = server.put("/resumed", BIG), server.put("/flaky", b"y" * 1000)
    server.break_after["/top-secret-path/resumed"] = 200_000
    server.status_first["/top-secret-path/flaky"] = [503]
    job.write_spec(make_spec(server, [make_input(1, resumed), make_input(2, restarted)], RAW))
    done = job.run("configuration")
    assert done.returncode == 0, done.stdout
    assert (job.data / "inputs" / ("01" * 32) / "0").read_bytes() == BIG
    ranges = [seen.headers.get("range") for seen in server.seen if seen.path.endswith("/resumed")]
    assert ranges[:3] == [None, "bytes=200000-", "bytes=400000-"]


def test_a_server_that_always_breaks_off_at_the_same_place_is_given_up(
    server: Any, job: Any, make_spec: Any, make_input: Any
) -> None:
    file = server.put("/cut", BIG)
    server.break_after["/top-secret-path/cut"] = 200_000
    server.no_ranges.add("/top-secret-path/cut")
    job.write_spec(make_spec(server, [make_input(1, file)], RAW))
    assert job.run("configuration").returncode == ExitCode.TRY_AGAIN
    assert len(server.seen) == 3  # the first brought something, two brought nothing new
    server.break_after.clear()
    assert job.run("configuration").returncode == 0  # Argo's next attempt, on the half-filled volume
    assert (job.data / "inputs" / ("01" * 32) / "0").read_bytes() == BIG


def test_a_later_attempt_starts_from_a_clean_volume(server: Any, job: Any, make_spec: Any, make_input: Any) -> None:
    for name in ("inputs/old", "outputs/old", "logs/old", "ddos/old"):
        (job.data / name).mkdir(parents=True)
    (job.data / "transformations").symlink_to("/tmp")
    job.write_spec(make_spec(server, [make_input(1, server.put("/a", b"x"))], RAW))
    assert job.run("configuration").returncode == 0
    assert not list(job.data.rglob("old"))
    assert not (job.data / "transformations").is_symlink()


@pytest.mark.parametrize("status", [404, 403, 410])
def test_a_missing_input_is_31_at_once(server: Any, job: Any, make_spec: Any, make_input: Any, status: int) -> None:
    file = server.put("/a", b"x")
    server.status_first["/top-secret-path/a"] = [status]
    job.write_spec(make_spec(server, [make_input(1, file)], RAW))
    assert job.run("configuration").returncode == ExitCode.INPUTS_NOT_PROVISIONED
    assert len(server.seen) == 1
    assert f"status {status}" in job.log()


def test_a_missing_algorithm_is_32_and_inputs_come_first(
    server: Any, job: Any, make_spec: Any, make_input: Any
) -> None:
    missing = Algorithm(files=(server.file("/nothing"),), entrypoint="sh $ALGO")
    good, bad = make_input(1, server.put("/a", b"x")), make_input(2, server.file("/no-input"))
    job.write_spec(make_spec(server, [good], missing))
    assert job.run("configuration").returncode == ExitCode.ALGORITHM_NOT_PROVISIONED
    job.write_spec(make_spec(server, [good, bad], missing))
    assert job.run("configuration").returncode == ExitCode.INPUTS_NOT_PROVISIONED
    job.write_spec(make_spec(server, [good], Algorithm(entrypoint="true")))
    assert job.run("configuration").returncode == ExitCode.ALGORITHM_NOT_PROVISIONED
    job.write_spec(make_spec(server, [make_input(1)], RAW))
    assert job.run("configuration").returncode == ExitCode.INPUTS_NOT_PROVISIONED


def test_other_bytes_of_the_algorithm_are_32(server: Any, job: Any, make_spec: Any, make_input: Any) -> None:
    files = (server.put("/algo", b"changed later"),)
    digest = hashlib.sha256(b"as it was checked").hexdigest()
    job.write_spec(make_spec(server, [], Algorithm(files=files, sha256=(digest,), entrypoint="sh $ALGO")))
    assert job.run("configuration").returncode == ExitCode.ALGORITHM_NOT_PROVISIONED
    assert "other bytes than expected" in job.log()


def test_redirects_are_followed_and_checked(server: Any, job: Any, make_spec: Any, make_input: Any) -> None:
    server.files["/final"] = b"there"
    server.redirects["/top-secret-path/a"] = "/final"
    job.write_spec(make_spec(server, [make_input(1, server.file("/a"))], RAW))
    assert job.run("configuration").returncode == 0
    server.redirects["/top-secret-path/a"] = "http://127.0.0.1:1/"
    assert job.run("configuration").returncode == ExitCode.INPUTS_NOT_PROVISIONED
    assert "refused, address" in job.log()


def test_private_addresses_need_permission(server: Any, job: Any, make_spec: Any, make_input: Any) -> None:
    job.write_spec(make_spec(server, [make_input(1, server.put("/a", b"x"))], RAW, allow_private=()))
    assert job.run("configuration").returncode == ExitCode.INPUTS_NOT_PROVISIONED
    assert server.seen == []


def test_the_size_limit_is_for_all_files_together(server: Any, job: Any, make_spec: Any, make_input: Any) -> None:
    inputs = [make_input(1, server.put("/a", b"x" * 600)), make_input(2, server.put("/b", b"x" * 600))]
    job.write_spec(make_spec(server, inputs, RAW, max_input_bytes=1199))
    assert job.run("configuration").returncode == ExitCode.INPUTS_NOT_PROVISIONED
    assert "too_large" in job.log()
    job.write_spec(make_spec(server, inputs, RAW, max_input_bytes=1200))
    assert job.run("configuration").returncode == 0


def test_nobody_listens_is_worth_another_try(server: Any, job: Any, make_spec: Any, make_input: Any) -> None:
    file = {"type": "url", "url": "http://127.0.0.1:9/x", "method": "GET"}
    job.write_spec(make_spec(None, [make_input(1, file)], RAW, allow_private=("127.0.0.1:9",)))
    assert job.run("configuration").returncode == ExitCode.TRY_AGAIN


def test_user_data_and_headers_are_sent_and_nothing_secret_is_logged(
    server: Any, job: Any, make_spec: Any, make_input: Any
) -> None:
    userdata = {"question": "hush-hush & more"}
    get = server.put("/get", b"x") | {"headers": {"Authorization": "Bearer hush-hush"}, "userdata": userdata}
    post = server.put("/post", b"y") | {"method": "POST", "userdata": userdata}
    missing = server.file("/missing?key=hush-hush")
    algorithm = Algorithm(rawcode="echo hush-hush", entrypoint="echo hush-hush", custom_data={"x": "hush-hush"})
    job.write_spec(make_spec(server, [make_input(1, get, post)], algorithm))
    ran = job.run("configuration")
    assert ran.returncode == 0
    by_method = {seen.method: seen for seen in server.seen}
    assert by_method["GET"].headers["authorization"] == "Bearer hush-hush"
    assert by_method["GET"].path.endswith("/get?question=hush-hush+%26+more")
    assert json.loads(by_method["POST"].body) == userdata
    job.write_spec(make_spec(server, [make_input(1, missing)], algorithm))
    failed = job.run("configuration")
    assert failed.returncode == ExitCode.INPUTS_NOT_PROVISIONED
    for text in (ran.stdout + ran.stderr, failed.stdout + failed.stderr, job.log()):
        for secret in ("hush-hush", "top-secret-path", server.authority, "http"):
            assert secret not in text


def refused_before_any_download(job: Any, server: Any) -> str:
    assert job.run("configuration").returncode == ExitCode.JOB_SPEC_REFUSED
    assert server.seen == []
    assert not (job.data / "inputs").exists()
    return str(job.log())


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("C2D_JOB_ID", "00" + "b2" * 15),
        ("C2D_ENVIRONMENT", "paid"),
        ("C2D_IMAGE", "registry.example/other"),
        ("C2D_SECONDS", "61"),
        ("C2D_NETWORK", "public"),
        ("C2D_NETWORK", "everything"),
    ],
)
def test_a_copied_job_spec_is_refused(
    server: Any, job: Any, make_spec: Any, make_input: Any, name: str, value: str
) -> None:
    job.write_spec(make_spec(server, [make_input(1, server.put("/a", b"x"))], RAW))
    job.changes[name] = value
    assert "refused" in refused_before_any_download(job, server)


def test_an_altered_or_forged_job_spec_is_refused(server: Any, job: Any, make_spec: Any, make_input: Any) -> None:
    spec = make_spec(server, [make_input(1, server.put("/a", b"x"))], RAW)
    job.write_spec(spec)
    path = job.folder / "job-spec"
    good = path.read_text()
    for bad in (
        good[:40] + ("A" if good[40] != "A" else "B") + good[41:],
        good[:-8],
        "",
        "not base64!",
        "é",
        "A" * 200_000,
    ):
        path.write_text(bad)
        refused_before_any_download(job, server)
    path.unlink()
    refused_before_any_download(job, server)
    job.write_spec(spec, key=PrivateKey.generate())  # somebody who has only the environment's public key
    assert "not sealed for this environment by its service" in refused_before_any_download(job, server)
    (job.folder / "keys/service.pub").write_text("broken\n")
    refused_before_any_download(job, server)


def test_old_keys_are_still_accepted(server: Any, job: Any, make_spec: Any, make_input: Any) -> None:
    job.write_spec(make_spec(server, [make_input(1, server.put("/a", b"x"))], RAW))
    path = job.folder / "keys/environment.key"
    path.write_text("AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAE=\n" + path.read_text())
    assert job.run("configuration").returncode == 0


def test_paid_time(server: Any, job: Any, make_spec: Any, make_input: Any) -> None:
    inputs = [make_input(1, server.put("/a", b"x"))]
    job.write_spec(make_spec(server, inputs, RAW, paid_until=int(time.time())))
    assert job.run("configuration").returncode == ExitCode.PAID_TIME_OVER
    assert server.seen == []
    began = int(time.time())
    until = began + 50
    job.write_spec(make_spec(server, inputs, RAW, paid_until=until))
    assert job.run("configuration").returncode == 0
    ended = time.time()
    script = (job.data / "start/run.sh").read_text()
    seconds = int(script.partition("c2d_seconds=")[2].partition("\n")[0])
    assert until - ended - 1 <= seconds <= until - began
    assert f"c2d_end={until}\n" in script


@pytest.mark.parametrize(("paid", "least", "most"), [(None, 60, 60), (50, 12, 50), (3600, 60, 60)])
def test_argo_is_told_how_long_the_pod_may_live(
    server: Any, job: Any, make_spec: Any, make_input: Any, paid: int | None, least: int, most: int
) -> None:
    """Never beyond the paid time, whatever waited in the queue, and whatever an algorithm does to the start script."""
    job.changes |= {name: str(job.folder / name) for name in ("C2D_OUTER_SECONDS", "C2D_LIMITS")}
    until = None if paid is None else int(time.time()) + paid
    job.write_spec(make_spec(server, [make_input(1, server.put("/a", b"x"))], RAW, paid_until=until))
    assert job.run("configuration").returncode == 0
    assert least <= int((job.folder / "C2D_OUTER_SECONDS").read_text()) <= most
    limits = json.loads((job.folder / "C2D_LIMITS").read_text())
    assert limits["paid_until"] == until
    assert limits["run_seconds"] <= most


def test_a_command_that_no_shell_can_hold_is_32(server: Any, job: Any, make_spec: Any) -> None:
    job.write_spec(make_spec(server, [], Algorithm(rawcode="x", entrypoint="echo \0")))
    assert job.run("configuration").returncode == ExitCode.ALGORITHM_NOT_PROVISIONED


def test_settings_that_are_missing_are_named(job: Any) -> None:
    job.changes["C2D_IMAGE"] = ""
    done = job.run("configuration")
    assert done.returncode == ExitCode.JOB_SPEC_REFUSED
    assert "C2D_IMAGE is not set" in done.stdout


def test_binding_is_what_the_tests_say() -> None:
    assert set(Binding.model_fields) == {"job_id", "environment", "image", "seconds", "network"}

"""`c2d releases list|show|approve|refuse`, against a server that verifies all that it is sent."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
import typer

from client.accounts import keystore as keys_of_owners
from client.releases import lines
from client.releases import service as calls
from contract.manifest import Manifest
from provider_api.cli import app
from provider_api.deploy.addresses import free_port
from tests.support.markers import find_markers
from tests.support.releases_service import (
    ANOTHER,
    DIGEST,
    FIRST,
    FOREIGN,
    JOB,
    KEY,
    ME,
    NONCE,
    PASSWORD,
    PROGRAM,
    SECOND,
    Answer,
    Caller,
    Service,
    as_json,
    said,
)

pytestmark = pytest.mark.integration


# --- What is printed --------------------------------------------------------------------------------------------------


def test_list(call: Caller, service: Service) -> None:
    done = call("list")
    assert done.exit_code == 0, done.output
    assert done.output.splitlines() == [
        f"{JOB}  held until 2026-01-01T00:00:00Z",
        f"  dataset      {FIRST}",
        "  algorithm    sent with the job, not published",
        f"  consumer     {ANOTHER}",
        "  environment  small",
        "  finished     2025-12-17T19:33:20Z",
        f"  program      {PROGRAM}",
        "  files        2, 1234 bytes",
    ]
    assert service.names() == ["nonce", "list"]
    assert "history" not in service.asked[-1][1]


def test_list_with_history(call: Caller, service: Service) -> None:
    service.standing = "released"
    assert call("list").output == "no results wait for this account\n"
    done = call("list", "--history")
    assert done.output.startswith(f"{JOB}  released\n")
    service.owners.clear()
    assert call("list", "--history").output == "no results have waited for this account\n"


def test_show(call: Caller, service: Service) -> None:
    service.add(SECOND, ME)
    service.add(FOREIGN, ANOTHER)
    service.datasets[SECOND]["standing"] = "released"
    service.datasets[FOREIGN]["reason"] = "looks at it tomorrow"
    done = call("show", JOB)
    assert done.exit_code == 0, done.output
    assert done.output.splitlines() == [
        f"job       {JOB}",
        "standing  held",
        "until     2026-01-01T00:00:00Z",
        f"manifest  {service.digest}",
        f"dataset   {FIRST}  yours      waiting",
        f"dataset   {SECOND}  yours      released",
        f"dataset   {FOREIGN}  another's  waiting: looks at it tomorrow",
        f"program   {PROGRAM}",
        "files     2, 1234 bytes",
        "    0  1200  output        outputs/model.bin",
        "    1    34  algorithmLog  logs/algorithm.log",
    ]


def test_the_answer_itself(call: Caller, service: Service) -> None:
    assert json.loads(call("show", JOB, "--json").output) == service.shown()
    assert json.loads(call("list", "--json").output)["releases"][0]["documentId"] == FIRST
    service.standing = "refused"
    assert json.loads(call("list", "--json").output) == {"releases": []}


def test_results_without_files_or_deadline(call: Caller, service: Service) -> None:
    service.files = []
    service.instead["show"] = as_json(service.shown() | {"until": None, "more": "of a later version"})
    done = call("show", JOB)
    assert (done.exit_code, "until     not said" in done.output, "files     0, 0 bytes" in done.output) == (
        0,
        True,
        True,
    )


# --- Decisions --------------------------------------------------------------------------------------------------------


def test_approve(call: Caller, service: Service) -> None:
    done = call("approve", JOB, answers="y\n")
    assert done.exit_code == 0, done.output
    assert [(each.did, each.account, each.released, each.reason) for each in service.decisions] == [
        (FIRST, ME, True, "")
    ]
    lines = done.output.splitlines()
    assert "    0  1200  output        outputs/model.bin" in lines
    assert lines.index(f"{ME} is about to release them as the owner of") < lines.index(f"sent: {FIRST} is released")
    assert lines[-1] == "the results are released"


def test_approve_two_datasets_while_another_waits(call: Caller, service: Service) -> None:
    service.add(FOREIGN, ANOTHER)
    service.add(SECOND, ME)
    done = call("approve", JOB, "--yes")
    assert done.exit_code == 0, done.output
    assert [each.did for each in service.decisions] == [FIRST, SECOND]
    assert done.output.endswith("the results are held: 1 of 3 datasets still wait for their owners' decision\n")
    assert service.names() == ["nonce", "show", "decide", "decide"]
    assert said(call("approve", JOB, "--yes"), 3) == "nothing to decide: no dataset of this job waits for this account"


def test_approve_one_of_two(call: Caller, service: Service) -> None:
    service.add(SECOND, ME)
    assert call("approve", JOB, "--dataset", SECOND, "--yes").exit_code == 0
    assert [each.did for each in service.decisions] == [SECOND]
    assert f"{SECOND} is released already" in said(call("approve", JOB, "--dataset", SECOND, "--yes"), 3)


def test_refuse_with_a_reason(call: Caller, service: Service) -> None:
    done = call("refuse", JOB, "--reason", "zu groß für eine Statistik", answers="y\n")
    assert done.exit_code == 0, done.output
    (decision,) = service.decisions
    assert (decision.released, decision.reason) == (False, "zu groß für eine Statistik")
    assert done.output.endswith("the results are refused\n")
    assert "results of this job are refused already" in said(call("approve", JOB, "--yes"), 3)


def test_one_refusal_is_enough(call: Caller, service: Service) -> None:
    service.add(SECOND, ME)
    done = call("refuse", JOB, "--yes")
    assert done.exit_code == 0, done.output
    assert [each.did for each in service.decisions] == [FIRST]


@pytest.mark.parametrize("reason", ["x" * 501, "\udcff"])
def test_a_reason_that_nobody_takes(call: Caller, service: Service, reason: str) -> None:
    assert said(call("refuse", JOB, "--yes", "--reason", reason), 2).startswith("--reason ")
    assert service.asked == []


@pytest.mark.parametrize(("did", "words"), [(FOREIGN, "only its owner"), (SECOND, "is not among"), ("\x1b", "\\x1b")])
def test_a_dataset_of_somebody_else(call: Caller, service: Service, did: str, words: str) -> None:
    service.add(FOREIGN, ANOTHER)
    assert words in said(call("approve", JOB, "--yes", "--dataset", did), 3)
    assert "decide" not in service.names()


@pytest.mark.parametrize("answers", ["n\n", "\n", ""])
@pytest.mark.parametrize("verb", ["approve", "refuse"])
def test_without_a_yes_nothing_is_sent(call: Caller, service: Service, verb: str, answers: str) -> None:
    done = call(verb, JOB, answers=answers)
    assert said(done, 3).startswith("nothing was sent")
    assert service.names() == ["nonce", "show"]


@pytest.mark.parametrize(
    "change",
    [
        {"jobId": "f" * 32},
        {"manifestDigest": DIGEST.upper()},
        {"manifestDigest": DIGEST + "\n"},
        {"manifestDigest": None},
        {"standing": "maybe"},
        {"until": "tomorrow"},
        {"datasets": [{"documentId": "did:op:1", "mine": True, "standing": "waiting"}]},
        {"datasets": [{"documentId": FIRST, "mine": True, "standing": "waiting"}] * 2},
        {"datasets": [{"documentId": FIRST, "mine": "yes", "standing": "waiting"}]},
        {"files": [{"index": 0, "path": "outputs/a", "filesize": 1, "sha256": "f1" * 32, "type": "output"}] * 2},
        {"files": [{"index": 0, "path": "outputs/a", "filesize": -1, "sha256": "f1" * 32, "type": "output"}]},
        {"files": [{"index": 0, "path": "outputs/a", "filesize": 10**30, "sha256": "f1" * 32, "type": "output"}]},
        {"files": [{"index": 0, "path": "outputs/a", "filesize": 1, "sha256": "f1", "type": "output"}]},
        {"files": [{"index": 0, "path": "outputs/a", "filesize": 1, "sha256": "f1" * 32, "type": "o" * 41}]},
        {"files": None},
        {"files": []},
        {"files": [{"index": 0, "path": "outputs/a", "filesize": 1, "sha256": "f1" * 32, "type": "output"}]},
        {"manifest": "{}"},
        {"program": "9" * 64},
        {"program": "none"},
        {"ownersLook": "yes"},
        {"manifest": None},
        {"manifest": Manifest(job_id=JOB, created=2, complete=True, files=()).encoded().decode()},
    ],
)
def test_nothing_is_signed_for_an_answer_that_does_not_fit(call: Caller, service: Service, change: Any) -> None:
    service.instead["show"] = as_json(service.shown() | change)
    assert said(call("approve", JOB, "--yes"), 5).startswith("the service")
    assert service.names() == ["nonce", "show"]


@pytest.mark.parametrize("change", [{}, {"manifestDigest": "e" * 64}, {"jobId": "f" * 32}, {"datasets": []}])
def test_a_decision_that_was_not_taken(call: Caller, service: Service, change: Any) -> None:
    service.instead["decide"] = as_json(service.shown() | change)
    assert f"look with `c2d releases show {JOB}`" in said(call("approve", JOB, "--yes"), 5)


def test_what_was_sent_before_a_failure_is_told(call: Caller, service: Service) -> None:
    service.add(SECOND, ME)
    kept = service.decide

    def once(body: bytes) -> Answer:
        answer = kept(body)
        service.instead["decide"] = as_json({"error": "the store is away"}, 503, Retry_After="7")
        return answer

    service.decide = once  # type: ignore[method-assign]
    done = call("approve", JOB, "--yes")
    assert f"sent: {FIRST} is released" in done.stdout
    told = said(done, 5)
    assert "the store is away (503); try again in 7 seconds" in told
    assert SECOND in told


# --- The key ----------------------------------------------------------------------------------------------------------


def test_the_password_is_asked_for(url: str, keystore: Path, service: Service) -> None:
    call = Caller(["--url", url, "--keystore", str(keystore)])
    done = call("approve", JOB, answers=f"{PASSWORD}\ny\n")
    assert done.exit_code == 0, done.output
    assert "Password of" in done.stderr
    assert len(service.decisions) == 1
    assert json.loads(call("show", JOB, "--json", answers=f"{PASSWORD}\n").stdout) == service.shown()
    none = call("show", JOB)
    assert (none.exit_code, none.stderr.splitlines()[-1].startswith("no password was given")) == (4, True)


@pytest.mark.parametrize("wrong", ["", "wrong", PASSWORD + " ", PASSWORD + "\n\n"])
def test_a_wrong_password(call: Caller, service: Service, password_file: Path, wrong: str) -> None:
    password_file.write_text(wrong)
    told = said(call("list"), 2)
    assert told.endswith("owner.json does not open: the password is wrong, or the file is damaged")
    assert service.asked == []


def test_a_file_of_windows_with_the_password(call: Caller, password_file: Path) -> None:
    password_file.write_bytes(PASSWORD.encode() + b"\r\n")
    assert call("list").exit_code == 0


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "is no keystore"),
        (KEY.encode(), "is no keystore"),
        (b"\xff", "is no keystore"),
        (b"[" * 60_000, "is no keystore"),
        (b'{"version": 3}', "is no keystore"),
        (b'{"version": 4, "crypto": {}}', "is no keystore"),
        (b'{"version": 3, "version": 3, "crypto": {}}', "is no keystore"),
        (b'{"version": 3, "crypto": {}}', "does not open"),
        (b'{"version": 3, "crypto": {"kdf": "pbkdf2", "kdfparams": []}}', "does not open"),
        (b'{"version": 3, "crypto": {"kdf": "none"}}', "does not open"),
        (b" " * (keys_of_owners.MOST_FILE_BYTES + 1), "is larger than"),
    ],
)
def test_what_is_no_keystore(call: Caller, service: Service, keystore: Path, content: bytes, words: str) -> None:
    keystore.write_bytes(content)
    assert words in said(call("list"), 2)
    assert service.asked == []


def test_a_keystore_whose_key_is_another_ones(call: Caller, keystore: Path) -> None:
    """The check sum of a keystore does not cover all of it: a bit in `iv` gives another key, without a complaint."""
    document = json.loads(keystore.read_text())
    document["crypto"]["cipherparams"]["iv"] = "00" * 16
    keystore.write_text(json.dumps(document))
    assert f"it says that it is of {ME}" in said(call("list"), 2)


@pytest.mark.parametrize("spoiled", ["keystore", "password_file"])
def test_files_that_cannot_be_read(
    call: Caller, keystore: Path, password_file: Path, spoiled: str, request: pytest.FixtureRequest
) -> None:
    path: Path = request.getfixturevalue(spoiled)
    path.unlink()
    assert "No such file" in said(call("list"), 2)
    path.mkdir()
    assert "Is a directory" in said(call("list"), 2)
    path.rmdir()
    path.write_bytes(b"\xff\xfe")
    assert path.name in said(call("list"), 2)


def test_neither_key_nor_password_is_a_word_of_the_command() -> None:
    """What stands in argv is seen by every process of the machine. What is printed is looked at in each test."""
    commands = typer.main.get_command(app).commands["releases"].commands  # type: ignore[attr-defined]
    options = {option for each in commands.values() for parameter in each.params for option in parameter.opts}
    assert options == {
        *(
            "job",
            "--url",
            "--keystore",
            "--password-file",
            "--profile",
            "-p",
            "--history",
            "--json",
            "--dataset",
            "--reason",
            "--yes",
        ),
        *("--until", "--program", "index", "--to"),
    } | ({"--help", "-h"} & options)


def test_the_key_is_in_no_representation() -> None:
    owner = keys_of_owners.Owner(ME, bytes.fromhex(KEY[2:]))
    assert (KEY[2:10] in repr(owner), repr(owner.key) in repr(owner)) == (False, False)


def test_nothing_secret_is_sent(call: Caller, service: Service) -> None:
    assert call("approve", JOB, "--yes").exit_code == 0
    sent = [(name, target.encode()) for name, target in service.asked]
    assert find_markers({"password": PASSWORD, "key": KEY[2:]}, sent) == []


# --- Hostile and broken answers ---------------------------------------------------------------------------------------

HOSTILE = "a\x1b[2J\nb\u202ec\u2066\u200bd\x9b\x7f\u061c"


def test_hostile_texts_are_printed_harmlessly(call: Caller, service: Service) -> None:
    service.files[0]["path"] = "outputs/" + HOSTILE + "x" * 5000
    service.files[0]["type"] = "out\rput"
    service.datasets[FIRST]["reason"] = HOSTILE
    service.listed = dict.fromkeys(service.listed, HOSTILE)
    outputs = [call("show", JOB), call("list"), call("show", JOB, "--json"), call("list", "--json")]
    service.instead["show"] = as_json({"error": HOSTILE}, 403)
    outputs.append(call("approve", JOB, "--yes"))
    said(outputs[-1], 3)
    for done in outputs:
        assert all(each.isprintable() for each in done.output.replace("\n", "")), done.output
        assert "\\u202e" in done.output
    assert len(outputs[0].output.splitlines()) == 9
    assert "characters more)" in outputs[0].output


@pytest.mark.parametrize("place", ["nonce", "list"])
def test_an_endless_answer_is_left_while_it_is_read(call: Caller, service: Service, place: str) -> None:
    service.instead[place] = Answer(pieces=iter(lambda: b"x" * (1 << 20), b""))
    assert f"more than {calls.MOST_ANSWER_BYTES} bytes" in said(call("list"), 5)
    assert service.left.wait(30)
    assert service.sent < 4 * calls.MOST_ANSWER_BYTES


def test_a_compressed_answer_is_not_opened(call: Caller, service: Service) -> None:
    service.instead["list"] = Answer(body=b"\x1f\x8b" + b"\0" * 30, headers={"content-encoding": "gzip"})
    assert "is no JSON object" in said(call("list"), 5)


def test_a_slow_answer_is_left(call: Caller, service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    def slowly() -> Iterator[bytes]:
        while not service.left.wait(0.05):
            yield b" "

    monkeypatch.setattr(calls, "MOST_SECONDS", 0.3)
    service.instead["list"] = Answer(pieces=slowly())
    assert "for one answer" in said(call("list"), 5)
    assert service.left.wait(30)


@pytest.mark.parametrize("place", ["nonce", "show", "decide"])
@pytest.mark.parametrize("status", [301, 302, 307, 308])
def test_redirects_are_not_followed(call: Caller, service: Service, place: str, status: int) -> None:
    service.instead[place] = Answer(status, headers={"location": "/elsewhere"})
    assert f"a redirect ({status}), and none is followed" in said(call("approve", JOB, "--yes"), 2)
    assert not [target for _, target in service.asked if "elsewhere" in target]


@pytest.mark.parametrize(
    ("status", "document", "code", "words"),
    [
        (
            400,
            {"errors": {"nonce": ["is stale", "is odd"], "jobId": "is none"}},
            3,
            "nonce: is stale, is odd; jobId: i",
        ),
        (400, {"error": "no", "wanted": {"nonce": "more than 5"}}, 3, "refuses: no; wanted: nonce: more than 5 (400)"),
        (403, {"error": "another's dataset"}, 3, "the service refuses: another's dataset (403)"),
        (404, {"context": None, "error": "404 Not Found: no such job"}, 3, "404 Not Found: no such job (404)"),
        (409, {"error": {"did:op:1": "too_late"}}, 3, "did:op:1: too_late (409)"),
        (409, {"error": None}, 3, "it does not say why (409)"),
        (404, ["no"], 3, "it does not say why (404)"),
        (
            500,
            {"context": None, "error": "our fault"},
            5,
            "the service cannot answer: our fault (500); try again later",
        ),
        (503, {"error": "the chain is away"}, 5, "the chain is away (503); try again in 5 seconds"),
    ],
)
@pytest.mark.parametrize("place", ["nonce", "show", "decide"])
def test_errors_of_the_service(
    call: Caller, service: Service, place: str, status: int, document: Any, code: int, words: str
) -> None:
    headers = {"retry-after": "5"} if status == 503 else {}
    service.instead[place] = as_json(document, status, **headers)
    told = said(call("approve", JOB, "--yes"), code)
    assert words in told
    assert service.names()[-1] == place
    assert service.decisions == []


@pytest.mark.parametrize("body", [b"", b"<html>", b"[]", b'{"a": 1, "a": 2}', b"[" * 100_000, b'{"a": 1e999}', b"\xff"])
def test_answers_that_are_no_json_object(call: Caller, service: Service, body: bytes) -> None:
    service.instead["list"] = Answer(body=body)
    assert "/api/v1/releases is no JSON object" in said(call("list"), 5)
    service.instead["list"] = Answer(502, body)
    assert "it does not say why (502)" in said(call("list"), 5)


@pytest.mark.parametrize("nonce", [None, "", "NaN", "Infinity", -1, "1e999999999", [], {"a": 1}, True])
def test_nonces_that_are_none(call: Caller, service: Service, nonce: Any) -> None:
    service.instead["nonce"] = as_json({"nonce": nonce})
    assert "says no nonce" in said(call("list"), 5)


@pytest.mark.parametrize("nonce", [NONCE, str(NONCE), f"{NONCE}.75", NONCE + 0.5])
def test_nonces_as_services_write_them(call: Caller, service: Service, nonce: Any) -> None:
    service.instead["nonce"] = as_json({"nonce": nonce})
    assert call("list").exit_code == 0


def test_a_service_that_is_away(keystore: Path, password_file: Path) -> None:
    url = f"http://127.0.0.1:{free_port()}"
    call = Caller(["--url", url, "--keystore", str(keystore), "--password-file", str(password_file)])
    assert said(call("list"), 5).startswith(f"{url} does not answer: ")


def test_a_service_that_leaves_in_the_middle(call: Caller, service: Service) -> None:
    service.instead["decide"] = Answer(headers={"content-length": "10"}, pieces=iter([b"{"]))
    told = said(call("approve", JOB, "--yes"), 5)
    assert "does not answer" in told
    assert f"Whether the decision on {FIRST} arrived is not known" in told


@pytest.mark.parametrize(
    "url",
    [
        *("", "provider.example", "ftp://provider.example", "https://", "http://a:b", "http://127.0.0.1:99999"),
        *("http://a..example", f"http://{'a' * 64}.example", "https://u:covert@a", "http://a?covert", "http://a/#"),
    ],
)
def test_what_is_no_address_of_a_service(keystore: Path, password_file: Path, url: str) -> None:
    call = Caller(["--url", url, "--keystore", str(keystore), "--password-file", str(password_file)])
    told = said(call("list"), 2)
    assert told.startswith("--url is not the address of a service")
    assert "covert" not in told


@pytest.mark.parametrize("job", ["", "..", "../nonce", JOB.upper(), JOB + "0", JOB + "\n", "٣" * 32])
def test_what_is_no_job(call: Caller, service: Service, job: str) -> None:
    assert "is no job's id" in said(call("show", job), 2)
    assert service.asked == []


def test_moments_that_are_none() -> None:
    assert lines._moment("soon") == "soon (no time)"
    with suppress(OverflowError):
        assert lines._moment(1e300) == "1e+300 (no time)"

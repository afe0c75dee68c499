"""Commands at a provider that has nothing of ours, and at one that answers nonsense."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from client.profiles import Profiles
from tests.support.commands import ALICE, Commands
from tests.support.plain_provider import PlainProvider
from tests.support.service import Service

pytestmark = pytest.mark.integration
ESCAPE = "\x1b]0;owned\x07\x1b[2J"


@pytest.fixture
def plain(service: Service, c2d: Commands) -> Iterator[PlainProvider]:
    """The profile `plain` is for it; assets are of the service behind it."""
    with PlainProvider(service.url) as running:
        Profiles().set(
            "plain",
            provider=running.url,
            metadata=service.url,
            chain=service.chain_url,
            contracts=str(service.machine.address_file),
            account=f"development:{ALICE}",
        )
        yield running


def test_a_job_at_a_plain_provider(c2d: Commands, plain: PlainProvider, dataset: str, algorithm: str) -> None:
    assert "it costs nothing" in c2d("why", dataset, algorithm, "-p", "plain").out
    done = c2d("run", dataset, algorithm, "-p", "plain", "-o", "plain", "--json")
    assert done.json["verifiedBy"] is None
    assert "not verified" in done.err
    assert json.loads(Path("plain/sum.json").read_text()) == 42
    job = done.json["job"]["jobId"]
    assert job in c2d("jobs", "-p", "plain").out
    assert "Job finished" in c2d("show", job, "-p", "plain").out
    assert c2d("logs", job, "-p", "plain").out == "added 3\n"
    c2d("login", "-p", "plain")
    c2d("results", job, "-p", "plain", "-o", "plain")
    c2d("logout", "-p", "plain")


def test_a_plain_provider_refuses(c2d: Commands, plain: PlainProvider, dataset: str, adds_up: Path) -> None:
    theirs = c2d("publish-algorithm", str(adds_up), "--profile", "bob").line
    assert "not_trusted_algo_publisher" in c2d("why", dataset, theirs, "-p", "plain", code=3).out
    assert "not_trusted_algo_publisher" in c2d("run", dataset, theirs, "-p", "plain", code=3).err


BROKEN: dict[str, Any] = {
    "no JSON": b"<html>welcome</html>",
    "nothing": b"",
    "a list in a list": b"[[]]",
    "a number": b"7",
    "nested": b"[" * 100_000,
    "NaN": b'[{"jobId": NaN}]',
    "no id": b'[{"status": 70}]',
    "a hostile id": json.dumps([{"jobId": ESCAPE, "status": 70}]).encode(),
    "results that are none": b'[{"jobId": "a", "results": [{"filename": 7}]}]',
    "endless": b"[" + b'"0123456789",' * (2 << 20) + b"0]",
}


PLACES = {
    ("jobs",): "/api/services/compute",
    ("show", "a"): "/api/services/compute",
    ("envs",): "/api/services/computeEnvironments",
    ("whoami",): "/",
}


@pytest.mark.parametrize("words", PLACES, ids=" ".join)
def test_nonsense(c2d: Commands, plain: PlainProvider, words: tuple[str, ...]) -> None:
    for name, broken in BROKEN.items():
        plain.spoil = lambda at, body, broken=broken: broken if at == PLACES[words] else None
        done = c2d(*words, "-p", "plain", code=None)
        assert (name, done.code, done.out, len(done.err.splitlines())) == (name, 5, "", 1), done.err


def test_escapes_in_texts_of_others(c2d: Commands, plain: PlainProvider) -> None:
    """`Commands` looks for raw escapes in all that is printed."""
    job = {"jobId": "a", "status": 40, "statusText": f"{ESCAPE}{{0}}{{exit.__class__}}", "environment": ESCAPE}
    job |= {"results": [{"index": 0, "filename": ESCAPE, "filesize": 3, "type": ESCAPE}], "dateFinished": "7"}
    jobs = json.dumps([job]).encode()
    plain.spoil = lambda at, body: jobs if at == "/api/services/compute" else None
    for words, code in ((("jobs",), 0), (("show", "a"), 0), (("watch", "a"), 1)):
        assert "\\x1b]0;owned" in c2d(*words, "-p", "plain", code=code).out
    refusal = json.dumps({"error": ESCAPE}).encode()
    plain.spoil = lambda at, body: refusal if at == "/api/services/nonce" else None
    c2d("stop", "a", "-p", "plain", code=None)

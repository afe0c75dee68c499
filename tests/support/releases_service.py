"""A small server on loopback that plays the API of releases and verifies all that it is sent, for `c2d releases`."""

from __future__ import annotations

import http.server
import json
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from typer.testing import CliRunner, Result

from contract.manifest import Manifest, ResultFile, digest_of
from contract.provenance import Provisioned
from ocean.keys import address_of
from ocean.signing import recover
from provider_api.cli import app
from records.decision import Decision, decision_of
from records.trust import Trust, trust_of
from records.verify import read_signed
from tests.support.markers import find_markers

KEY = "0x" + "5eed" * 16
ME, ANOTHER = address_of(KEY), "0x" + "1" * 40
PASSWORD = "open, sesame: 5eed"
PROGRAM = "a7" * 32
JOB, DIGEST = "0123456789abcdef" * 2, "d1" * 32
FIRST, SECOND, FOREIGN = (f"did:op:{digit * 64}" for digit in "abc")
UNTIL = 1_767_225_600  # 2026-01-01T00:00:00Z
NONCE = 41


@dataclass
class Answer:
    """Instead of what the service would say. `pieces`: sent without a length until the client leaves."""

    status: int = 200
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)
    pieces: Iterator[bytes] | None = None


class Service:
    """The API of releases. `instead`: by "nonce", "list", "show", "decide", "trust" and "file"."""

    def __init__(self) -> None:
        self.datasets: dict[str, dict[str, Any]] = {}
        self.owners: dict[str, str] = {}
        self.standing = "held"
        self.files = [
            {"index": 0, "path": "outputs/model.bin", "filesize": 1200, "sha256": "f1" * 32, "type": "output"},
            {"index": 1, "path": "logs/algorithm.log", "filesize": 34, "sha256": "f2" * 32, "type": "algorithmLog"},
        ]
        self.listed = {"environment": "small", "consumer": ANOTHER, "algorithm": "", "finishedAt": "1766000000.500000"}
        self.asked: list[tuple[str, str]] = []
        self.decisions: list[Decision] = []
        self.trusts: list[Trust] = []
        self.program, self.owners_look = PROGRAM, True
        self.contents = dict[int, bytes]()
        self.instead: dict[str, Answer] = {}
        self.left = threading.Event()  # a client went away while it was answered
        self.sent = 0
        self.add(FIRST, ME)

    def add(self, did: str, owner: str) -> None:
        self.owners[did] = owner
        self.datasets[did] = {"documentId": did, "mine": owner == ME, "standing": "waiting"}

    @property
    def manifest(self) -> bytes:
        """With a log of the service's own, which is not shown."""
        told = [*self.files, {"path": "adminlogs/configure.log", "filesize": 4, "sha256": "f0" * 32}]
        files = [
            ResultFile(
                index=index,
                path=file["path"],
                filename=file["path"].rpartition("/")[2],
                filesize=file["filesize"],
                sha256=file["sha256"],
                type="output" if index < len(self.files) else "configrationLog",
                content_type="text/plain",
                key=f"{JOB}/{index}",
            )
            for index, file in enumerate(told)
        ]
        went_in = Provisioned(
            inputs=(), algorithm=(), documents={}, custom_data="c" * 64, input_bytes=1, program=self.program
        )
        return Manifest(job_id=JOB, created=1, complete=True, files=tuple(files), provisioned=went_in).encoded()

    @property
    def digest(self) -> str:
        return digest_of(self.manifest)

    def shown(self) -> dict[str, Any]:
        return {
            "jobId": JOB,
            "standing": self.standing,
            "until": UNTIL,
            "manifestDigest": self.digest,
            "manifest": self.manifest.decode(),
            "program": self.program,
            "ownersLook": self.owners_look,
            "datasets": list(self.datasets.values()),
            "files": self.files,
        }

    def answer(self, method: str, target: str, body: bytes, kind: str | None) -> Answer:
        path, query = urlsplit(target).path, dict(parse_qsl(urlsplit(target).query))
        name = {"/api/services/nonce": "nonce", "/api/v1/releases": "list"}.get(path, "show")
        name = "file" if "/files/" in path else name
        name = ("trust" if path == "/api/v1/trust" else "decide") if method == "PUT" else name
        self.asked.append((name, target))
        if name in self.instead:
            return self.instead[name]
        if name == "nonce":
            assert query == {"userAddress": ME}
            return as_json({"nonce": NONCE})
        if name == "list":
            require_signed(query, "releases" + ME)
            entries = [
                {
                    "jobId": JOB,
                    "documentId": did,
                    "standing": self.standing,
                    "until": UNTIL if self.standing == "held" else None,
                    "files": len(self.files),
                    "bytes": 1234,
                    "program": self.program,
                    **self.listed,
                }
                for did, owner in self.owners.items()
                if owner == ME and (self.standing == "held" or query.get("history") == "true")
            ]
            return as_json({"releases": entries})
        if name == "trust":
            assert (kind, query) == ("application/json", {})
            return self.trust(body)
        if name == "file":
            index = path.removeprefix(f"/api/v1/releases/{JOB}/files/")
            require_signed(query, f"releases{ME}{JOB}/{index}/")
            return Answer(body=self.contents[int(index)])
        assert path == f"/api/v1/releases/{JOB}"
        if name == "show":
            require_signed(query, "releases" + ME + JOB)
            return as_json(self.shown())
        assert (kind, query) == ("application/json", {})
        return self.decide(body)

    def decide(self, body: bytes) -> Answer:
        signed = read_signed(body)
        decision = decision_of(signed.statement)
        assert signed.signers == (decision.account,)
        assert (decision.job_id, decision.manifest_digest) == (JOB, self.digest)
        assert abs(decision.at - time.time()) < 60
        if self.owners[decision.did] != decision.account:
            return as_json({"error": "not yours"}, 403)
        if self.standing != "held":
            return as_json({"error": "too late"}, 409)
        self.decisions.append(decision)
        self.datasets[decision.did]["standing"] = "released" if decision.released else "refused"
        standings = {each["standing"] for each in self.datasets.values()}
        self.standing = (
            "refused" if "refused" in standings else "released" if standings == {"released"} else self.standing
        )
        return as_json(self.shown())

    def trust(self, body: bytes) -> Answer:
        signed = read_signed(body)
        trust = trust_of(signed.statement)
        assert signed.signers == (trust.account,)
        assert trust.program == self.program
        assert abs(trust.at - time.time()) < 60
        if self.owners[trust.did] != trust.account:
            return as_json({"error": "not yours"}, 403)
        self.trusts.append(trust)
        return as_json(
            {"documentId": trust.did, "program": trust.program, "account": trust.account, "until": trust.until}
        )

    def names(self) -> list[str]:
        return [name for name, _ in self.asked]


def as_json(document: Any, status: int = 200, **headers: str) -> Answer:
    return Answer(status, json.dumps(document).encode(), headers)


def require_signed(query: dict[str, str], beginning: str) -> None:
    assert query["consumerAddress"] == ME
    assert query["nonce"] == str(NONCE + 1)
    assert recover(beginning + query["nonce"], query["signature"]) == ME


class Handler(http.server.BaseHTTPRequestHandler):
    service: Service

    def do_GET(self) -> None:
        self.reply()

    def do_PUT(self) -> None:
        self.reply()

    def reply(self) -> None:
        body = self.rfile.read(int(self.headers.get("content-length", "0")))
        try:
            answer = self.service.answer(self.command, self.path, body, self.headers.get("content-type"))
        except Exception as trouble:  # noqa: BLE001  whatever does not fit fails the test by this answer
            answer = as_json({"error": f"THE TEST'S SERVICE: {trouble!r}"}, 418)
        self.send_response(answer.status)
        for name, value in answer.headers.items():
            self.send_header(name.replace("_", "-"), value)
        if answer.pieces is None:
            self.send_header("content-length", str(len(answer.body)))
        self.end_headers()
        self.wfile.write(answer.body)
        try:
            for piece in answer.pieces or ():
                self.wfile.write(piece)
                self.wfile.flush()
                self.service.sent += len(piece)
        except ConnectionError:
            self.service.left.set()

    def log_message(self, *_: Any) -> None:
        pass


@dataclass
class Caller:
    access: list[str]

    def __call__(self, *words: str, answers: str = "") -> Result:
        done = CliRunner().invoke(app, ["releases", *words, *self.access], input=answers)
        assert find_markers({"password": PASSWORD, "key": KEY[2:]}, [("output", done.output.encode())]) == []
        assert done.exception is None or isinstance(done.exception, SystemExit), done.exception
        assert "THE TEST'S SERVICE" not in done.output, done.output
        return done


def said(done: Result, code: int) -> str:
    """The one line of a failure."""
    assert done.exit_code == code, done.output
    assert done.stderr.count("\n") == 1, done.stderr
    return done.stderr.strip()

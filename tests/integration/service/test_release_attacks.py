"""Attempts to get something out that must not leave: each way in which a job comes to hold such a thing, by each door.

An algorithm puts recognisable texts into contents and names of outputs, and into its log. Whatever the service answers
to anybody but an owner who decides is searched for them, in every spelling.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import httpx
import pytest

from ocean.client import Consumer, ConsumerError
from ocean.ddo import DDO
from ocean.signing import result_message, sign
from provider_api.deploy.file_server import FileServer
from records.envelope import sign_payload
from records.trust import Trust, statement_of_trust
from tests.support.chain import consumer as consumer_account
from tests.support.chain import publisher as publisher_account
from tests.support.chain import stranger as stranger_account
from tests.support.markers import find_markers, marker
from tests.support.operator_peer import OperatorPeer
from tests.support.owners import Owner
from tests.support.service import FREE, Buyer, raw_python

pytestmark = pytest.mark.integration

INDICES: Final = range(8)  # of results: one more than the most that a job here has

# --- What algorithms do with the texts {content}, {name} and {log} ----------------------------------------------------

HEAD: Final = """
import base64, gzip, io, json, os, pathlib, shutil, signal, struct, subprocess, sys, tarfile, time, zipfile, zlib
out, inputs = pathlib.Path(os.environ["OUTPUTS"]), pathlib.Path(os.environ["INPUTS"])
text, name = "{content}", "{name}"
table = ("a,b\\n" + text + ",1\\n").encode()
print("{log}", flush=True)
"""
WRITES: Final = '(out / (name + ".csv")).write_bytes(table)\n'
PNG: Final = """
def chunk(kind, data):
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
def png(*more):
    head = chunk(b"IHDR", struct.pack(">IIBBBBB", 1, 1, 8, 0, 0, 0, 0))
    end = chunk(b"IDAT", zlib.compress(b"\\0\\0")) + chunk(b"IEND", b"")
    return b"\\x89PNG\\r\\n\\x1a\\n" + head + b"".join(more) + end
"""

OWNER: Final = {"approval": "owner"}
# Results that meet their rules, and wait: by rules of the dataset and the end of the algorithm.
HELD: Final[dict[str, str]] = {
    "done": WRITES,
    "failed": WRITES + "raise SystemExit(3)",
    "died with the data in its last words": WRITES + "raise ValueError(text)",
    "killed itself": WRITES + "os.kill(os.getpid(), signal.SIGKILL)",
    "left a process behind that goes on writing": WRITES
    + "subprocess.Popen([sys.executable, '-c', f'import time\\nfor n in range(50):\\n open({str(out)!r} + \"/x\" + "
    'str(n), "w").write({text!r}); time.sleep(0.05)\'], start_new_session=True)',
    "wrote into each folder that it can": WRITES
    + "for folder in ('/data/logs', '/data/adminlogs', '/data/outputs', '/data/transformations', '/tmp', '/data'):\n"
    "    try: pathlib.Path(folder, name).write_text(text)\n    except OSError: pass",
    "named things that are not published": WRITES
    + "os.symlink('/data/inputs', out / (name + 'link')); os.mkfifo(out / (name + 'fifo'))\n"
    "(out / (name + 'closed')).write_text(text); os.chmod(out / (name + 'closed'), 0)\n"
    "deep = out.joinpath(*[name + str(n) for n in range(40)]); deep.mkdir(parents=True)\n"
    "(deep / name).write_text(text)",
}
# Results that break a rule.
BREAKING: Final[dict[str, tuple[dict[str, Any], str]]] = {
    "a copy of the data": ({"maxBytes": 100}, "(out / name).write_text(text * 20)"),
    "more than a share of it": ({"shareOfInputs": 0.5}, WRITES),
    "a thousand small files": ({"maxFiles": 20}, "for n in range(1000): (out / (name + str(n))).write_text(text)"),
    "a log that prints it": ({"logBytes": 100}, "print(text * 20)"),
    "a packed copy": ({"types": ["csv"]}, "(out / (name + '.csv')).write_bytes(gzip.compress(table))"),
    "a packed copy in an archive": (
        {"types": ["zip", "csv"]},
        "with zipfile.ZipFile(out / (name + '.zip'), 'w') as z: z.writestr('a.csv', gzip.compress(table))",
    ),
    "a copy behind a picture": ({"types": ["png"]}, PNG + "(out / (name + '.png')).write_bytes(png() + table)"),
    "a copy in a picture's notes": (
        {"types": ["png"]},
        PNG + "(out / (name + '.png')).write_bytes(png(chunk(b'tEXt', b'Comment\\0' + text.encode() * 4000)))",
    ),
    "a table with a model's name": ({"types": ["onnx"]}, "(out / (name + '.onnx')).write_bytes(table)"),
    "a pickle as an array": ({"types": ["numpy"]}, "(out / (name + '.npy')).write_bytes(b'\\x93NUMPY\\1\\0' + table)"),
    "bytes between the members of a zip": (
        {"types": ["zip", "csv"]},
        "b = io.BytesIO()\nwith zipfile.ZipFile(b, 'w') as z: z.writestr('a.csv', 'a,b\\n1,2\\n')\n"
        "(out / (name + '.zip')).write_bytes(table + b.getvalue())",
    ),
    "one good file and one bad one": ({"types": ["csv"]}, WRITES + "(out / 'b.bin').write_bytes(b'\\0' + table)"),
    "a rule broken by a failure": ({"maxBytes": 100}, "(out / name).write_text(text * 20); raise SystemExit(3)"),
}


@dataclass
class Attack:
    """One job, and all who try."""

    buyer: Buyer
    peer: OperatorPeer
    stranger: Owner
    job: str
    request: Mapping[str, Any]
    folder: Path
    http: httpx.AsyncClient
    files: list[bytes] = field(default_factory=list)

    async def asked(self, method: str, path: str, **options: Any) -> bytes:
        answer = await self.http.request(method, self.buyer.service.url + path, **options)
        return str(answer.headers).encode() + answer.content

    async def signed_result(self, index: int, *, method: str = "GET", **headers: str) -> bytes:
        nonce, me = str(await self.buyer.consumer.next_nonce()), self.buyer.consumer.address
        text = result_message(me, self.job, str(index), nonce)
        query = {"jobId": self.job, "index": index, "consumerAddress": me, "nonce": nonce}
        query["signature"] = sign(text, bytes(consumer_account.key))
        return await self.asked(method, "/api/services/computeResult", params=query, headers=headers)


async def status_of_the_job(attack: Attack) -> bytes:
    return json.dumps(await attack.buyer.consumer.status(attack.job)).encode()


async def status_of_all(attack: Attack) -> bytes:
    return json.dumps(await attack.buyer.consumer.status()).encode()


async def status_by_agreement(attack: Attack) -> bytes:
    query = {"consumerAddress": attack.buyer.consumer.address, "agreementId": attack.request["dataset"]["transferTxId"]}
    return await attack.asked("GET", "/api/services/compute", params=query)


async def every_index(attack: Attack) -> bytes:
    return b"".join([await attack.signed_result(index) for index in INDICES])


async def every_index_in_parts(attack: Attack) -> bytes:
    found = [await attack.signed_result(index, Range="bytes=0-2000") for index in INDICES]
    return b"".join(found + [await attack.signed_result(index, Range="bytes=-500") for index in INDICES])


async def every_index_by_head(attack: Attack) -> bytes:
    return b"".join([await attack.signed_result(index, method="HEAD") for index in INDICES])


async def every_index_with_a_tag(attack: Attack) -> bytes:
    """Whether a file has a content that the consumer has guessed must not be told either."""
    digests = [hashlib.sha256(content).hexdigest() for content in attack.files]
    answers = [
        await attack.signed_result(index, **{"If-Range": f'"{digest}"', "Range": "bytes=0-0"})
        for index in INDICES
        for digest in digests
    ]
    assert not any(b"206" in answer[:20] for answer in answers)
    return b"".join(answers)


async def token_of(attack: Attack) -> str:
    me, consumer = attack.buyer.consumer.address, attack.buyer.consumer
    nonce, expiry = await consumer.next_nonce(), int(time.time()) + 600
    query = {"address": me, "nonce": nonce, "expiration": expiry}
    query["signature"] = sign(f"{me}{nonce}", bytes(consumer_account.key))
    answer = await attack.http.get(attack.buyer.service.url + "/api/services/createAuthToken", params=query)
    return str(answer.json()["token"])


async def as_a_viewer(attack: Attack) -> bytes:
    """From the beginning and from offsets behind it; as long as something comes within a moment."""
    headers, path = {"AuthToken": await token_of(attack)}, f"/api/v1/jobs/{attack.job}/"
    found = b""
    for offset in (0, 1, 10**6):
        found += await attack.asked("GET", path + "log", params={"offset": offset}, headers=headers)
        again = headers | {"Last-Event-ID": f"{offset}.."}
        url = attack.buyer.service.url + path + "events"
        try:
            async with attack.http.stream("GET", url, headers=again, timeout=1) as response:
                async for piece in response.aiter_bytes():
                    found += piece
        except httpx.ReadTimeout:
            pass  # it runs, or waits
    return found


async def with_a_token(attack: Attack) -> bytes:
    me = attack.buyer.consumer.address
    headers = {"AuthToken": await token_of(attack)}
    found = b""
    for index in INDICES:
        asked = {"jobId": attack.job, "index": index, "consumerAddress": me}
        found += await attack.asked("GET", "/api/services/computeResult", params=asked, headers=headers)
    for path in ("/api/v1/releases", f"/api/v1/releases/{attack.job}", f"/api/v1/releases/{attack.job}/files/2"):
        found += await attack.asked("GET", path, params={"consumerAddress": me, "history": "true"}, headers=headers)
    return found


async def as_an_operator_of_another_provider(attack: Attack) -> bytes:
    me = attack.buyer.consumer.address
    found = (await attack.peer.call("GET", attack.peer.query(me, attack.job))).content
    for index in INDICES:
        found += (await attack.peer.result(me, attack.job, index)).content
    for path in ("list", "runningjobs", "info", "logs"):
        query = {"jobId": attack.job, "component": "algorithm"}
        found += (await attack.peer.http.get(path, params=query, headers={"Admin": "admin"})).content
    return found


async def as_an_owner_who_is_none(attack: Attack) -> bytes:
    """The stranger, and the consumer himself, ask what owners ask."""
    me = Owner(attack.buyer.service.url, consumer_account, attack.http, attack.buyer.consumer)
    found = b""
    for one in (attack.stranger, me):
        found += json.dumps([await one.waiting(history="true"), await one.waiting()]).encode()
        found += (await one.show(attack.job)).content
        for index in INDICES:
            found += (await one.look(attack.job, index)).content
    return found


async def by_trust_of_nobody(attack: Attack) -> bytes:
    """The consumer trusts his own algorithm."""
    now = int(time.time())
    found = b""
    did = attack.request["dataset"]["documentId"]
    trust = Trust("a7" * 32, did, consumer_account.address, now, now + 60, attack.job)
    for account in (consumer_account, stranger_account, publisher_account):
        body = sign_payload(statement_of_trust(trust).encoded(), bytes(account.key)).encoded()
        found += await attack.asked("PUT", "/api/v1/trust", content=body)
    return found


async def by_addresses_of_published_files(attack: Attack) -> bytes:
    found = b""
    for token in (attack.job, f"{attack.job}.x", f"asset-{attack.job}", "..", f"..%2F{attack.job}"):
        for name in ("outputs", "manifest.json"):
            found += await attack.asked("GET", f"/api/services/published/{token}/0/{name}")
    return found


async def by_the_same_start_again(attack: Attack) -> bytes:
    try:
        return json.dumps(await attack.buyer.consumer.start(attack.request)).encode()
    except ConsumerError as refused:  # it was deleted
        return str(refused).encode()


async def by_a_stop(attack: Attack) -> bytes:
    try:
        return json.dumps(await attack.buyer.consumer.stop(attack.job)).encode()
    except ConsumerError as refused:
        return str(refused).encode()


async def by_wanting_an_asset(attack: Attack) -> bytes:
    """The same job once more, whose outputs shall become an asset."""
    output = {"metadata": {"name": "mine"}, "publishOutput": True}
    orders = [attack.request["dataset"]], attack.request["algorithm"]
    try:
        wanted = await attack.buyer.consumer.start_request(FREE, *orders, output=output)
        return json.dumps(await attack.buyer.consumer.start(wanted)).encode()
    except ConsumerError as refused:
        return str(refused).encode()


Door = Callable[[Attack], Awaitable[bytes]]
DOORS: Final[tuple[Door, ...]] = (
    status_of_the_job,
    status_of_all,
    status_by_agreement,
    every_index,
    every_index_in_parts,
    every_index_by_head,
    every_index_with_a_tag,
    with_a_token,
    as_a_viewer,
    as_an_operator_of_another_provider,
    as_an_owner_who_is_none,
    by_trust_of_nobody,
    by_addresses_of_published_files,
    by_the_same_start_again,
    by_a_stop,
    by_wanting_an_asset,
)


def test_there_are_enough_of_them() -> None:
    assert len(HELD) * len(DOORS) + len(BREAKING) * len(DOORS) >= 40


@dataclass
class Attackers:
    buyer: Buyer
    files: FileServer
    peer: OperatorPeer
    stranger: Owner
    folder: Path
    http: httpx.AsyncClient
    texts: dict[str, str] = field(default_factory=lambda: {each: marker(each) for each in ("content", "name", "log")})

    async def dataset(self, rules: dict[str, Any]) -> DDO:
        return await self.buyer.publish(self.files.urls["rain.csv"], compute={"allowRawAlgorithm": True}, release=rules)

    async def start(self, rules: dict[str, Any], code: str) -> Attack:
        return await self.start_on([await self.dataset(rules)], code)

    async def start_on(self, datasets: list[DDO], code: str) -> Attack:
        """The texts stand in the code in pieces, so that only an algorithm which runs spells them."""
        whole = HEAD + code
        for name, text in self.texts.items():
            whole = whole.replace("{" + name + "}", '" + "'.join((text[:8], text[8:16], text[16:])))
        ordered, algorithm = await self.buyer.order(datasets, raw_python(whole))
        request = await self.buyer.consumer.start_request(FREE, ordered, algorithm)
        job = (await self.buyer.consumer.start(request))["jobId"]
        attack = Attack(self.buyer, self.peer, self.stranger, job, request, self.folder, self.http)
        attack.files.append(f"a,b\n{self.texts['content']},1\n".encode())
        return attack

    async def tried(self, attack: Attack, *, runs: bool = False) -> list[tuple[str, str]]:
        """(text, door) for each text that came out. While it runs nobody stops it."""
        found = [(door.__name__, await door(attack)) for door in DOORS if not (runs and door is by_a_stop)]
        return find_markers(self.texts, found)


@pytest.fixture
async def attackers(buyer: Buyer, files: FileServer, tmp_path: Path) -> Any:
    async with (
        httpx.AsyncClient(timeout=60) as http,
        OperatorPeer.open(buyer.service.url, publisher_account) as peer,
        Consumer(buyer.service.url, stranger_account) as client,
    ):
        stranger = Owner(buyer.service.url, stranger_account, http, client)
        yield Attackers(buyer, files, peer, stranger, tmp_path, http)


async def over(buyer: Buyer, job: str, seconds: float = 120) -> dict[str, Any]:
    """The job, when it waits for an owner or has ended."""
    async with asyncio.timeout(seconds):
        while True:
            found = await buyer.job(job)
            if found is not None and ("held" in found or found["dateFinished"] is not None):
                return found
            await asyncio.sleep(0.05)


@pytest.mark.parametrize("ending", HELD)
async def test_what_waits_leaves_by_no_door(attackers: Attackers, ending: str) -> None:
    attack = await attackers.start(OWNER, HELD[ending])
    assert await attackers.tried(attack, runs=True) == [], "while it runs"
    job = await over(attackers.buyer, attack.job)
    assert (job["status"], "held" in job) == (60, True), job
    assert await attackers.tried(attack) == [], "while it waits"
    holder = Owner(attackers.buyer.service.url, publisher_account, attackers.http, attackers.buyer.consumer)
    shown = (await holder.show(attack.job)).json()
    assert attackers.texts["name"] in json.dumps(shown), "the owner sees what he decides about"
    did = shown["datasets"][0]["documentId"]
    refused = await holder.put(attack.job, holder.decision(shown, did, released=False, reason="no"))
    assert refused.json()["standing"] == "refused"
    assert await attackers.tried(attack) == [], "when it is refused"
    kept = attackers.buyer.service.folder.root / "results" / attack.job
    left = [(str(path), path.read_bytes()) for path in kept.rglob("*") if path.is_file()]
    there = {place for text, place in find_markers(attackers.texts, left) if text != "name"}
    assert there == set(), "and gone from the store"


@pytest.mark.parametrize("attempt", BREAKING)
async def test_what_breaks_a_rule_leaves_by_no_door(attackers: Attackers, attempt: str) -> None:
    rules, code = BREAKING[attempt]
    attack = await attackers.start(rules, code)
    job = await over(attackers.buyer, attack.job)
    assert job["status"] == 41
    assert job["reason"] == ("withheld" if job["exitCode"] == 0 else "algorithm_failed"), job
    assert [result["type"] for result in job["results"]] == ["configrationLog", "publishLog", "passport"]
    assert await attackers.tried(attack) == []
    kept = attackers.buyer.service.folder.root / "results" / attack.job
    left = [(str(path), str(path).encode() + path.read_bytes()) for path in kept.rglob("*") if path.is_file()]
    assert find_markers(attackers.texts, left) == [], "not even to the store"


async def test_a_job_that_is_stopped_or_deleted_while_it_waits(attackers: Attackers) -> None:
    waits = "time.sleep(60)"
    stopped, deleted = [await attackers.start(OWNER, WRITES + waits) for _ in range(2)]
    for attack in (stopped, deleted):
        async with asyncio.timeout(120):
            while (await attackers.buyer.job(attack.job) or {}).get("status") != 40:
                await asyncio.sleep(0.05)
    await attackers.buyer.consumer.stop(stopped.job)
    job = await over(attackers.buyer, stopped.job)
    assert (job["status"], "held" in job) == (60, True), job
    assert await attackers.tried(stopped) == []
    said = json.dumps(await attackers.buyer.consumer.delete(deleted.job))
    assert find_markers(attackers.texts, [("delete", said.encode())]) == []
    assert await attackers.tried(deleted) == []


async def test_what_another_dataset_lets_go_its_neighbour_keeps(attackers: Attackers) -> None:
    """A dataset without rules beside one that waits, and one that lets owners look beside one that does not."""
    free, waits = await attackers.dataset({}), await attackers.dataset({**OWNER, "ownersLook": True})
    job = (await attackers.start_on([free, waits], WRITES)).job
    assert "held" in await over(attackers.buyer, job)
    holder = Owner(attackers.buyer.service.url, publisher_account, attackers.http, attackers.buyer.consumer)
    looks = [(f"file {index}", (await holder.look(job, index)).content) for index in INDICES]
    assert find_markers(attackers.texts, looks) == [], "not all of the datasets let owners look"

"""What an algorithm finds in its sandbox, and what it does not reach, through the whole service.

The probe (`tests/support/probe.py`) is a consumer's raw algorithm. It also runs outside, as a plain process: what fails
inside succeeds there, so each attempt would notice success. It tells of its attempts in an output.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import json
import os
import re
import shlex
import socket
import socketserver
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from contract import names
from ocean.chain.publishing import AssetDraft, publish_asset
from ocean.client import ConsumerError
from ocean.ddo import DDO
from ocean.files import UrlFile
from provider_api.deploy.file_server import FileServer
from tests.support import probe
from tests.support.chain import publisher
from tests.support.data_owner import DataOwner
from tests.support.markers import marker, spellings
from tests.support.service import FREE, Buyer, Service, raw_python

pytestmark = pytest.mark.integration

PROBE = Path(probe.__file__).read_text()
WAIT = "import os, time\nend = time.time() + 600\nwhile not os.path.exists('/data/outputs/go') and time.time() < end:"
WAIT += " time.sleep(0.05)\n"
SYSTEM = ["/proc", "/sys", "/usr", "/bin", "/sbin", "/lib", "/lib64", sys.prefix, sys.base_prefix]


class Echo(socketserver.BaseRequestHandler):
    def handle(self) -> None:
        data, reply = self.request
        reply.sendto(data, self.client_address)


@contextlib.contextmanager
def listening(folder: Path) -> Iterator[dict[str, Any]]:
    """What else may answer on a machine: a server on all addresses, a UDP server, sockets with names."""
    abstract, path = f"@c2d-{marker('probe')}", str(folder / "socket")
    with contextlib.ExitStack() as stack:
        everywhere = stack.enter_context(socket.create_server(("0.0.0.0", 0)))  # noqa: S104
        everywhere6 = stack.enter_context(socket.create_server(("::1", 0), family=socket.AF_INET6))
        for address in ("\0" + abstract[1:], path):
            server = stack.enter_context(socket.socket(socket.AF_UNIX))
            server.bind(address)
            server.listen()
        udp = stack.enter_context(socketserver.UDPServer(("127.0.0.1", 0), Echo))
        threading.Thread(target=udp.serve_forever, daemon=True).start()
        stack.callback(udp.shutdown)
        port = everywhere.getsockname()[1]
        own = {f"this machine as {address}": (address, port) for address in own_addresses()}
        yield {
            "connect": {"IPv6": ("::1", everywhere6.getsockname()[1]), **own},
            "udp": {"server": udp.server_address},
            "unix": {"abstract": abstract, "path": path},
        }


def own_addresses() -> list[str]:
    """Addresses of this machine that others see."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as looking:
        try:
            looking.connect(("192.0.2.1", 9))  # sends nothing
        except OSError:
            return []
        return [looking.getsockname()[0]]


async def publish(buyer: Buyer, file: UrlFile) -> DDO:
    async def encrypt(plain: bytes) -> bytes:
        return await buyer.consumer.encrypt(plain, buyer.network.chain_id)

    made = AssetDraft(name="private dataset", files=[file], compute={"allowRawAlgorithm": True})
    return await publish_asset(buyer.network, publisher, made, provider_url=buyer.service.url, encrypt=encrypt)


def obscured(text: str) -> list[str]:
    """For the probe, which searches for what its own text must not hold."""
    return [spelling[::-1].hex() for spelling in spellings(text)]


def places_of(service: Service, neighbour: str) -> dict[str, str]:
    """Files that an algorithm would like to read."""
    folder, argo = service.folder, service.folder.argo
    input_ = next((argo / "volumes" / f"{neighbour}-data" / "inputs").glob("*/0"))
    start = argo / "volumes" / f"{neighbour}-data" / "start" / "run.sh"
    plan = next((argo / "pods").glob(f"{neighbour}-*/plan.json"))
    keys = folder.secrets / names.environment_secret(FREE)
    found = {
        "input of another job": input_,
        "start script of another job": start,
        "pod of another job": plan,
        "token": service.machine.argo_token_file,
        "database of the API": folder.root / "service.sqlite",
        "database of Argo": argo / "argo.db",
        "key of the environment": keys / "environment.key",
        "account of the environment": keys / "ethereum.key",
        "result store": folder.secrets / names.RESULT_STORE_SECRET / "store.json",
        "template": next(folder.templates.glob("*.yaml")),
        "log of the API": folder.logs / "api.log",
        "state of the chain": folder.chain / "address.json",
    }
    return {name: str(path) for name, path in found.items()}


async def test_the_probe_reaches_nothing(
    service: Service, buyer: Buyer, owner: DataOwner, files: FileServer, tmp_path: Path
) -> None:
    markers = {name: marker(name) for name in ("url", "header", "userdata", "neighbour")}
    private = owner.serve(f"{markers['neighbour']}\n")
    other_data = await publish(buyer, UrlFile(url=private.url))
    served = owner.serve("1,2\n", token=markers["url"])
    data = await publish(buyer, UrlFile(url=served.url, headers={"X-Access": markers["header"]}))
    # Another consumer's job runs beside it.
    ordered, algorithm = await buyer.order([other_data], raw_python(WAIT))
    neighbour = (await buyer.consumer.start(await buyer.consumer.start_request(FREE, ordered, algorithm)))["jobId"]
    async with asyncio.timeout(60):
        while (await buyer.job(neighbour) or {}).get("status") != 40:
            await asyncio.sleep(0.05)

    machine = service.machine
    addresses = {"API": machine.url, "Argo": machine.argo_url, "chain": machine.chain_url, "data": private.url}
    did = data.id.removeprefix("did:op:")
    with listening(tmp_path) as others:
        servers = {name: _host_and_port(url) for name, url in addresses.items()}
        wishes: dict[str, Any] = {
            **others,
            "connect": {**servers, **others["connect"]},
            "read": places_of(service, neighbour),
            "signal": {part: machine.child(part).pid for part in ("api", "argo")},
            "search": {name: obscured(text) for name, text in markers.items()},
        }
        inside = wishes | {
            "inside": True,
            "roots": ["/"],
            "without": SYSTEM,
            "write": [
                *(
                    f"/data/{folder}"
                    for folder in ("inputs", "ddos", "transformations", f"inputs/{did}", f"ddos/{did}")
                ),
                *(f"/data/inputs/{file}" for file in (f"{did}/0", "algoCustomData.json", "new")),
                *("/data/transformations/algorithm", "/c2d/start", "/c2d/start/run.sh", "/c2d/start/inputs.json"),
                *("/data", "/", "/etc/passwd"),
                *("/usr/lib", sys.prefix, sys.executable),
            ],
            "allowed": "/data/outputs/allowed",
            "answer": "/data/outputs/answer.json",
        }
        entrypoint = f"python $ALGO {shlex.quote(json.dumps(inside))}"
        ordered, algorithm = await buyer.order([data], raw_python(PROBE, entrypoint))
        ordered[0]["userdata"] = {"who": markers["userdata"]}
        started = await buyer.consumer.start(await buyer.consumer.start_request(FREE, ordered, algorithm))
        job = await buyer.finished(started["jobId"])
        log = (await buyer.result(job, "algorithm.log", tmp_path)).decode()
        assert (job["status"], job["reason"]) == (70, "completed"), log
        told = json.loads(await buyer.result(job, "answer.json", tmp_path))
        outside = await run_outside(wishes, markers, service, tmp_path)

    assert await buyer.job(neighbour) is not None
    (service.folder.argo / "volumes" / f"{neighbour}-data" / "outputs" / "go").touch()
    reached = {name: what for name, what in told["found"].items() if what}
    assert list(reached) == ["write allowed"], {name: reached[name] for name in reached}
    tried = {name for name in outside["found"]}
    assert tried < set(told["found"])
    assert [name for name in tried if not outside["found"][name]] == [], outside["causes"]
    assert (await buyer.finished(neighbour))["status"] == 70


def _host_and_port(url: str) -> tuple[str, int]:
    found = re.match(r"http://([^:/]+):(\d+)", url)
    assert found is not None
    return found[1], int(found[2])


async def run_outside(
    wishes: dict[str, Any], markers: dict[str, str], service: Service, folder: Path
) -> dict[str, dict[str, str]]:
    """The same program as a plain process, where the secrets lie about in some spelling."""
    planted = folder / "planted"
    planted.mkdir()
    (planted / "plain").write_text(f"so here is {markers['url']}.")
    (planted / "base64").write_bytes(base64.b64encode(f"and {markers['header']}!".encode()))
    (planted / "hex").write_text(f"0x{markers['userdata'].encode().hex()}")
    answer = folder / "outside.json"
    roots = [str(planted), str(service.folder.argo / "volumes")]
    wanted = wishes | {"roots": roots, "without": [], "answer": str(answer)}
    process = await asyncio.create_subprocess_exec(
        sys.executable, probe.__file__, json.dumps(wanted), env={"PATH": os.environ["PATH"]}
    )
    assert await asyncio.wait_for(process.wait(), 60) == 0
    found: dict[str, dict[str, str]] = json.loads(answer.read_text())
    return found


LOOK = """
import json, os, stat
def look(top):
    for folder, names, files in os.walk(top):
        for name in sorted([*names, *files]):
            path = os.path.join(folder, name)
            info = os.lstat(path)
            yield [path, stat.filemode(info.st_mode), info.st_size, os.access(path, os.R_OK), os.access(path, os.W_OK)]
tree = sorted(look("/data"))
texts = {path: open(path).read() for path, mode, *_ in tree if mode[0] == "-"}
index = json.load(open(os.environ["INPUTS_INDEX"]))
tell = {"tree": tree, "index": index, "texts": texts, "environ": dict(os.environ), "ids": [os.getuid(), os.getgid()]}
print("err", file=__import__("sys").stderr)
open(os.environ["OUTPUTS"] + "/tell.json", "w").write(json.dumps(tell))
"""


async def test_what_an_algorithm_finds(service: Service, buyer: Buyer, owner: DataOwner, tmp_path: Path) -> None:
    """The folders, modes, files and variables that algorithms were written for."""
    contents = ["day,mm\n1,3\n", "day,kmh\n1,20\n"]
    datasets = [await buyer.publish(owner.serve(text).url) for text in contents]
    code = owner.serve(LOOK, name="look.py")
    algorithm = await buyer.publish(code.url, kind="algorithm")
    ordered, algorithm_order = await buyer.order(datasets, algorithm)
    started = await buyer.consumer.start(await buyer.consumer.start_request(FREE, ordered, algorithm_order))
    job = await buyer.finished(started["jobId"])
    assert (job["status"], job["reason"]) == (70, "completed"), await buyer.result(job, "algorithm.log", tmp_path)
    told = json.loads(await buyer.result(job, "tell.json", tmp_path))

    bare = [asset.id.removeprefix("did:op:") for asset in (*datasets, algorithm)]
    tree = {path.removeprefix("/data/"): rest for path, *rest in told["tree"]}
    readable, writable = {"drwxr-xr-x", "-rw-r--r--"}, {"drwxrwxrwx", "-rw-rw-rw-"}
    own = {"outputs": writable, "logs": writable, "logs/algorithm.log": writable}
    expected: dict[str, set[str]] = {
        **{name: readable for name in ("inputs", "ddos", "transformations", "inputs/algoCustomData.json")},
        **{f"inputs/{did}{rest}": readable for did in bare[:2] for rest in ("", "/0")},
        **{f"ddos/{did}": readable for did in bare},
        "transformations/algorithm": {"-rwxr-xr-x"},
        **own,
    }
    left = set(tree) - set(expected)
    assert left <= {"logs/.run"}
    for name, modes in expected.items():
        mode, _, may_read, may_write = tree[name]
        assert mode in modes, name
        assert may_read, name
        assert may_write == (name in own), name
    texts = {path.removeprefix("/data/"): text for path, text in told["texts"].items()}
    assert [texts[f"inputs/{did}/0"] for did in bare[:2]] == contents
    assert texts["transformations/algorithm"] == LOOK
    assert texts["inputs/algoCustomData.json"] == "{}"
    assert [entry["folder"] for entry in told["index"]["inputs"]] == bare[:2]
    assert texts["logs/algorithm.log"] == ""
    for asset, did in zip((*datasets, algorithm), bare, strict=True):
        document = json.loads(texts[f"ddos/{did}"])
        assert texts[f"ddos/{did}"] == json.dumps(document, separators=(",", ":"), ensure_ascii=False)
        assert document["id"] == asset.id
        assert [service["id"] for service in document["services"]] == ["main"]

    environ = told["environ"]
    secret = environ["secret"]
    assert re.fullmatch("[0-9a-f]{32}", secret)
    contract = {
        "DIDS": json.dumps(bare[:2], separators=(",", ":")),
        "TRANSFORMATION_DID": bare[2],
        "VOLUME": "/data",
        "INPUTS": "/data/inputs",
        "OUTPUTS": "/data/outputs",
        "LOGS": "/data/logs",
        "secret": secret,
        "INPUTS_INDEX": "/c2d/start/inputs.json",
    }
    assert {name: environ[name] for name in contract} == contract
    of_any_process = {"PATH", "HOME", "TMPDIR", "LANG", "LC_CTYPE", "PWD", "OLDPWD", "SHLVL", "_"}
    of_limits = {"JAVA_TOOL_OPTIONS", "NODE_OPTIONS", "GOMEMLIMIT"}  # the environment's memory, for runtimes
    assert set(environ) - set(contract) <= of_any_process | of_limits
    assert environ["HOME"] == "/tmp"
    assert 0 not in told["ids"]
    assert await buyer.result(job, "algorithm.log", tmp_path) == b"err\n"


async def test_the_same_service_twice_is_no_second_input(buyer: Buyer, owner: DataOwner) -> None:
    """The second would overwrite the first in the folder of their DID."""
    data = await buyer.publish(owner.serve("1,2\n").url, compute={"allowRawAlgorithm": True})
    ordered, algorithm = await buyer.order([data], raw_python("pass"))
    request = await buyer.consumer.start_request(FREE, [*ordered, *ordered], algorithm)
    with pytest.raises(ConsumerError) as refused:
        await buyer.consumer.start(request)
    assert (refused.value.status, refused.value.body) == (400, {"error": {"datasets[1]": "duplicate"}})

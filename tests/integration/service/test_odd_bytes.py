"""Requests that no client library sends, over a bare socket to the real server process: a quick 4xx, flat memory."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator

import pytest

from tests.support.raw_http import Memory, RawAnswer, chunked, cpu_seconds, exchange, head
from tests.support.service import Service

pytestmark = pytest.mark.integration

START, NONCE = "/api/services/compute", "/api/services/nonce"
ADDRESS = "0x3C44CdDdB6a900fa2b585dd299e03d12FA4293BC"
MB = 1024 * 1024
JSON = "Content-Type: application/json"
# One request of the largest accepted size is parsed at a time: text, its copy while decoding, and the values.
MEMORY_BOUND = 64 * MB
QUICK_SECONDS = 2  # of computing; they take less than 0.1 s


@pytest.fixture
def memory(service: Service) -> Iterator[None]:
    pid = service.machine.child("api").pid
    assert pid is not None
    watched = Memory.watch(pid)
    yield
    assert watched.grown < MEMORY_BOUND, f"{watched.grown / MB:.0f} MiB"
    assert service.machine.child("api").pid == pid, "the same process as before"


def ask(service: Service, pieces: Iterable[bytes]) -> RawAnswer:
    pid = service.machine.child("api").pid
    assert pid is not None
    before = cpu_seconds(pid)
    answer = exchange(service.url, pieces)
    assert (seconds := cpu_seconds(pid) - before) < QUICK_SECONDS, f"{seconds:.2f} s"
    assert answer.status != 408, "nothing more was waited for"
    assert b"Traceback" not in answer.body
    return answer


def body(content: bytes, *headers: str, method: str = "POST", target: str = START) -> list[bytes]:
    return [head(method, target, *(headers or (JSON,)), f"Content-Length: {len(content)}"), content]


BODIES = {
    "nothing": b"",
    "broken": b'{"dataset":',
    "no json": b"hello",
    "a list": b"[1]",
    "text": b'"x"',
    "a number": b"1e400",
    "null": b"null",
    "nan": b'{"nonce": NaN}',
    "two documents": b"{}{}",
    "100,000 lists deep": b"[" * 100_000,
    "closed again": b"[" * 100_000 + b"]" * 100_000,
    "100,000 objects deep": b'{"a":' * 100_000 + b"1" + b"}" * 100_000,
    "a number of 100,000 digits": b'{"nonce": ' + b"9" * 100_000 + b"}",
    "too large a number": b'{"nonce": 1e400}',
    "half a surrogate pair": b'{"consumerAddress": "\\ud800"}',
    "… as a key": b'{"\\udc00": 1}',
    "null byte": b'{"dataset": {"documentId": "a\\u0000b"}}',
    "raw null byte": b'{"a": "\x00"}',
    "invalid UTF-8": b'{"a": "\xff\xfe"}',
    "UTF-16": '{"a": 1}'.encode("utf-16"),
    "byte order mark": b"\xef\xbb\xbf{}",
    "4 MB of text": b'{"a": "' + b"a" * (4 * MB - 10) + b'"}',
    "4 MB of lists": b'{"a": [' + b"[]," * (4 * MB // 3 - 5) + b"[]]}",
    "4 MB of numbers": b'{"a": [' + b"1.5," * (MB - 5) + b"1]}",
    "4 MB of keys": b"{" + b",".join(b'"%06d":1' % n for n in range(4 * MB // 11)) + b"}",
    "a key 100,000 times": b"{" + b'"nonce":1,' * 100_000 + b'"nonce":2}',
}


WITH_BODY = [("POST", f"/api/services/{name}") for name in ("compute", "initializeCompute", "fileinfo", "decrypt")]
WITH_BODY += [("POST", "/api/services/validateContainer"), ("POST", "/api/v1/why-not"), ("PUT", START)]
WITH_BODY += [("GET", "/api/services/download"), ("GET", NONCE)]


@pytest.mark.usefixtures("memory")
@pytest.mark.parametrize(("method", "path"), WITH_BODY)
def test_bodies(service: Service, method: str, path: str) -> None:
    for name, content in BODIES.items():
        answer = ask(service, body(content, method=method, target=path))
        assert answer.status == 400, (name, answer)
        assert answer.headers["content-type"] == "application/json"
        told = set(answer.json()) - {"wanted"}
        assert told in ({"error"}, {"errors", "message", "success"}), (name, answer)


@pytest.mark.usefixtures("memory")
def test_bodies_of_10_mb(service: Service) -> None:
    """Refused without being read: the answer is there before the body is."""
    text = b'{"a": "' + b"a" * (10 * MB) + b'"}'
    told = ask(service, body(text))
    untold = ask(service, [head("POST", START, JSON, "Transfer-Encoding: chunked"), *chunked([text[:MB]] * 10)])
    tiny = ask(service, [head("POST", START, JSON, "Transfer-Encoding: chunked"), *chunked([b" " * 64] * 160_000)])
    announced = ask(service, [head("POST", START, JSON, f"Content-Length: {10**12}")])
    for answer in (told, untold, tiny, announced):
        assert (answer.status, list(answer.json())) == (413, ["context", "error"])
    ignored = ask(service, body(b"x" * (10 * MB), target="/", method="GET"))
    assert ignored.status == 200, "who needs no body does not read one"
    plain = ask(service, body(b"x" * (10 * MB), "Content-Type: application/octet-stream", target=ENCRYPT))
    assert plain.status == 413


ENCRYPT = "/api/services/encrypt?chainId=8996"


@pytest.mark.parametrize(
    "kind",
    [
        "text/plain",
        "multipart/form-data",
        "application/x-www-form-urlencoded",
        "a",
        "",
        "\xff",
        "application/json;" * 99,
    ],
)
def test_content_types(service: Service, kind: str) -> None:
    """Only JSON is read; anything else counts as no body."""
    content = json.dumps({"userAddress": ADDRESS}).encode()
    header = b"Content-Type: " + kind.encode("latin-1")
    answer = ask(service, [head("GET", NONCE, header, f"Content-Length: {len(content)}"), content])
    expected = 200 if kind.startswith("application/json") else 400
    assert answer.status == expected, answer


def test_get_with_a_json_type_and_no_body(service: Service) -> None:
    """What ocean.js sends with every GET."""
    for more in ((), ("Content-Length: 0",)):
        answer = ask(service, [head("GET", f"{NONCE}?userAddress={ADDRESS}", JSON, *more)])
        assert answer.status == 200
        assert answer.json()["nonce"]


QUERIES = {
    "no value": "userAddress",
    "rubbish": "userAddress=%zz%",
    "half an escape": "userAddress=%f",
    "no UTF-8": "userAddress=%ff%fe",
    "null byte": "userAddress=%00",
    "line break": "userAddress=a%0d%0aX-Injected:%201",
    "nothing but signs": "&&&===&",
    "overlong": "userAddress=" + "a" * 60_000,
    "surrogate": "userAddress=%ed%a0%80",
    "only another key": f"useraddress={ADDRESS}",
    "the first is the wrong one": f"userAddress=x&userAddress={ADDRESS}",
    "10,000 keys": "&".join(f"a{n}=" for n in range(10_000))[:60_000],
    "dotted": f"a.userAddress={ADDRESS}",
    "indexed": f"userAddress[]={ADDRESS}",
}


@pytest.mark.usefixtures("memory")
@pytest.mark.parametrize("query", QUERIES.values(), ids=QUERIES.keys())
def test_queries(service: Service, query: str) -> None:
    answer = ask(service, [head("GET", f"{NONCE}?{query}")])
    assert answer.status == 400, answer
    assert "x-injected" not in answer.headers


def test_queries_of_odd_bytes(service: Service) -> None:
    for value in (b"\xff", b"\xc3\xa9", b"\x80" * 100):
        answer = ask(service, [head("GET", NONCE.encode() + b"?userAddress=" + value)])
        assert answer.status == 400, answer
    first = ask(service, [head("GET", f"{NONCE}?userAddress={ADDRESS}&userAddress=x")])
    assert first.status == 200


@pytest.mark.usefixtures("memory")
def test_too_much_before_the_body(service: Service) -> None:
    """Told when it is over, and not read on and on when it never is."""
    long = [
        (414, [head("GET", "/?" + "&".join(f"k{n}=1" for n in range(100_000)))]),
        (414, [head("GET", "/" + "a" * 100_000)]),
        (431, [head("GET", "/", "X-Long: " + "a" * 100_000)]),
        (431, [head("GET", "/", *(f"X-{n}: {'a' * 100}" for n in range(1000)))]),
    ]
    for status, pieces in long:
        answer = ask(service, pieces)
        assert (answer.status, list(answer.json())) == (status, ["context", "error"]), answer
    endless = b"a" * MB
    for beginning in (b"GET /?", b"GET / HTTP/1.1\r\nX-Long: ", b"GET / HTTP/1.1\r\n"):
        filling = b"X-Y: z\r\n" * (MB // 8) if beginning.endswith(b"1.1\r\n") else endless
        answer = ask(service, (beginning, *([filling] * 64)))
        assert answer.status in (0, 414, 431), answer  # 0: closed while we were still sending
    trailers = (b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nX-Long: ", *([endless] * 64))
    assert ask(service, trailers).status in (0, 405, 431)


@pytest.mark.parametrize(
    "request_",
    [
        b"hello\r\n\r\n",
        b"GET\r\n\r\n",
        b"GET / HTTP/9.9\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost x\r\n\r\n",
        b"GET / HTTP/1.1\r\nContent-Length: -1\r\n\r\n",
        b"GET / HTTP/1.1\r\nContent-Length: x\r\n\r\n",
        b"GET / HTTP/1.1\r\nContent-Length: " + b"9" * 5000 + b"\r\n\r\n",
        b"POST / HTTP/1.1\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n",
        b"GET /\x00 HTTP/1.1\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
    ],
)
def test_what_is_no_http(service: Service, request_: bytes) -> None:
    answer = ask(service, [request_])
    assert answer.status == 400, answer
    assert answer.headers["content-type"] == "application/json"
    assert answer.json() == {
        "context": None,
        "error": "400 Bad Request: The browser (or proxy) sent a request that this server could not understand.",
    }


PATHS = {
    "%2e%2e/%2e%2e/etc/passwd": 404,
    "api/services/../services/nonce": 404,
    "api/services/nonce/": 404,
    "api/services/NONCE": 404,
    "api/services/nonce%00": 404,
    "api/services/nonce%0d%0a": 404,
    "%ff%fe": 404,
    "api%2fservices%2fnonce": 400,  # the same path in another spelling: the nonce route asks for its parameter
    "*": 404,
    "api/aquarius/assets/ddo/%00": 404,
    "api/aquarius/assets/ddo/%ff": 404,
    "api/aquarius/assets/ddo/did:op:" + "0" * 64: 404,
    "api/aquarius/chains/status/-1": 404,
}


@pytest.mark.parametrize(("path", "status"), PATHS.items())
def test_paths(service: Service, path: str, status: int) -> None:
    answer = ask(service, [head("GET", "/" + path)])
    assert answer.status == status, answer
    assert answer.headers["content-type"] == "application/json"


def test_redirects_stay_here(service: Service) -> None:
    for target in ("/api//services/nonce", "/x//evil.example/y", "/x/%2f%2fevil.example", "/x//%0d%0aX-Injected:1"):
        answer = ask(service, [head("GET", target)])
        assert answer.status == 308, target
        assert answer.headers["location"].startswith("/")
        assert not answer.headers["location"].startswith("//")
        assert "x-injected" not in answer.headers
    for target in ("//evil.example", "/%2fevil.example", "///"):
        assert ask(service, [head("GET", target)]).status in (200, 404), target


@pytest.mark.parametrize("method", ["HEAD", "PATCH", "TRACE", "PROPFIND", "DELETE"])
def test_methods_that_a_path_does_not_have(service: Service, method: str) -> None:
    answer = ask(service, [head(method, f"/api/services/initializeCompute?consumerAddress={ADDRESS}")])
    assert answer.status == 405
    assert answer.headers["allow"] == "POST"


def test_two_requests_in_one_piece(service: Service) -> None:
    one = f"GET {NONCE}?userAddress={ADDRESS} HTTP/1.1\r\nHost: x\r\n\r\n".encode()
    answer = ask(service, [one + head("GET", "/nothing")])
    assert (answer.status, answer.body.count(b"HTTP/1.1 404")) == (200, 1)

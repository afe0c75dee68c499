"""Lines of a watch: those of a real Argo Server, and what nobody should send."""

from __future__ import annotations

import json

import pytest

from argo.client.errors import ArgoRefused, ArgoUnavailable
from argo.client.watch import change_of
from tests.support.replay import recorded_rest

pytestmark = pytest.mark.unit


def test_the_recorded_watch_of_a_real_argo() -> None:
    record = recorded_rest()["watch-sse"]
    lines = "".join(text for _, text in record["stream"]).encode().split(b"\n")
    changes = [changed for line in lines if (changed := change_of(line)) is not None]
    assert {name for name, _ in changes} == {"j-live"}
    versions = [int(version) for _, version in changes]
    assert len(versions) > 5
    assert versions == sorted(set(versions))


@pytest.mark.parametrize(
    "line", [b"", b":", b": still here", b"event: x", b"\r", b'data: {"result":{"type":"BOOKMARK"}}']
)
def test_what_tells_nothing(line: bytes) -> None:
    assert change_of(line) is None


def test_a_line_without_a_prefix_is_read_as_well() -> None:
    event = {"type": "ADDED", "object": {"metadata": {"name": "a", "resourceVersion": "7"}}}
    assert change_of(json.dumps({"result": event}).encode()) == ("a", "7")
    assert change_of(json.dumps({"result": event | {"type": "DELETED"}}).encode()) == ("a", "")


@pytest.mark.parametrize(
    ("line", "error"),
    [
        (b"data: ", ArgoUnavailable),
        (b"data: []", ArgoUnavailable),
        (b"data: {}", ArgoUnavailable),
        (b'data: {"result":{"type":"ERROR","object":{"metadata":{"name":"a"}}}}', ArgoUnavailable),
        (b'data: {"result":{"type":"ADDED","object":{"metadata":{"name":7}}}}', ArgoUnavailable),
        (b'data: {"result":{"type":"ADDED","object":[]}}', ArgoUnavailable),
        (b'data: {"error":{"http_code":429,"message":"EOF"}}', ArgoUnavailable),
        (b'data: {"error":{"http_code":410,"message":"too old resource version"}}', ArgoUnavailable),
        (b'{"error":{"http_code":403,"message":"forbidden"}}', ArgoRefused),
    ],
)
def test_what_ends_a_watch(line: bytes, error: type[Exception]) -> None:
    with pytest.raises(error):
        change_of(line)

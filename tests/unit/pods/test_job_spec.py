from __future__ import annotations

import base64
import os
import zlib
from typing import Any

import pytest
from nacl.public import Box, PrivateKey

from contract.job_spec import (
    MAX_PLAIN_BYTES,
    Algorithm,
    AssetMetadata,
    Binding,
    InputAsset,
    JobSpec,
    JobSpecRefused,
    JobSpecTooLarge,
    UrlSource,
    open_sealed,
    require_binding,
    seal,
)

pytestmark = pytest.mark.unit

SERVICE, ENVIRONMENT, OTHER = PrivateKey.generate(), PrivateKey.generate(), PrivateKey.generate()
BINDING = Binding(job_id="00ab", environment="free", image="img", seconds=60, network="none")


def a_spec(**changes: Any) -> JobSpec:
    values: dict[str, Any] = {
        "binding": BINDING,
        "owner": "0x11",
        "secret": "5e",
        "run_seconds": 50,
        "inputs": (),
        "algorithm": Algorithm(rawcode="secret code", entrypoint="sh $ALGO"),
        "max_input_bytes": 100,
    }
    return JobSpec(**(values | changes))


def opened(text: str) -> JobSpec:
    return open_sealed(text, [OTHER, ENVIRONMENT], [OTHER.public_key, SERVICE.public_key])


def test_round_trip_with_any_accepted_key() -> None:
    source = UrlSource(url="ü")
    spec = a_spec(inputs=(InputAsset(did="did:op:1", service_id="s", files=(source,), ddo={"a": [None]}),))
    text = seal(spec, SERVICE, ENVIRONMENT.public_key)
    assert opened(text + "\n") == spec
    assert "secret" not in text


def test_what_is_not_wanted_is_not_in_it() -> None:
    """Pods of before there were assets take it."""
    plain = zlib.decompress(Box(ENVIRONMENT, SERVICE.public_key).decrypt(_sealed(a_spec())))
    assert b"publication" not in plain
    wanted = a_spec(publication=AssetMetadata(name="Sums", tags=["rain"]))
    assert opened(seal(wanted, SERVICE, ENVIRONMENT.public_key)) == wanted


def _sealed(spec: JobSpec) -> bytes:
    return base64.b64decode(seal(spec, SERVICE, ENVIRONMENT.public_key))


def test_a_stranger_with_the_public_key_makes_none() -> None:
    for key in (PrivateKey.generate(), ENVIRONMENT):
        with pytest.raises(JobSpecRefused, match="not sealed"):
            opened(seal(a_spec(), key, ENVIRONMENT.public_key))
    with pytest.raises(JobSpecRefused):
        open_sealed(seal(a_spec(), SERVICE, ENVIRONMENT.public_key), [OTHER], [SERVICE.public_key])


@pytest.mark.parametrize("text", ["", "A", "é", "AAAA", "A" * 1000])
def test_what_is_no_box(text: str) -> None:
    with pytest.raises(JobSpecRefused):
        opened(text)


@pytest.mark.parametrize(
    "plain", [b"not compressed", zlib.compress(b"{}"), zlib.compress(b"x" * (MAX_PLAIN_BYTES + 1))]
)
def test_a_box_with_something_else_in_it(plain: bytes) -> None:
    text = base64.b64encode(Box(SERVICE, ENVIRONMENT.public_key).encrypt(plain)).decode()
    with pytest.raises(JobSpecRefused):
        opened(text)


@pytest.mark.parametrize(
    ("field", "value"),
    [("job_id", "00cd"), ("environment", "paid"), ("image", "x"), ("seconds", 61), ("network", "public")],
)
def test_the_binding_names_the_difference(field: str, value: Any) -> None:
    require_binding(a_spec(), BINDING)
    with pytest.raises(JobSpecRefused, match=field.replace("_", " ")):
        require_binding(a_spec(), BINDING.model_copy(update={field: value}))


def test_too_large() -> None:
    noise = os.urandom(100_000).hex()
    with pytest.raises(JobSpecTooLarge) as caught:
        seal(a_spec(algorithm=Algorithm(rawcode=noise, entrypoint="x")), SERVICE, ENVIRONMENT.public_key)
    assert caught.value.size > 96 * 1024

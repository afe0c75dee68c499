"""Reading a node's answers: what nobody needs may be missing or nonsense, what is needed may not."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ocean.chain.answers import Header
from ocean.chain.errors import AnswerMalformed
from ocean.chain.logs import Log, Receipt, logs_between, receipt_of

pytestmark = pytest.mark.unit

TX, BLOCK_HASH, TOPIC = "0x" + "aa" * 32, "0x" + "bb" * 32, "0x" + "cc" * 32
LOG: dict[str, Any] = {
    "address": "0x" + "11" * 20,
    "topics": [TOPIC],
    "data": "0x01",
    "blockNumber": "0x10",
    "blockHash": BLOCK_HASH,
    "transactionHash": TX,
    "transactionIndex": "0x0",
    "logIndex": "0x2",
    "removed": False,
    "blockTimestamp": "0x5",
}
RECEIPT: dict[str, Any] = {
    "transactionHash": TX,
    "status": "0x1",
    "from": "0x" + "22" * 20,
    "to": "0x" + "33" * 20,
    "blockNumber": "0x10",
    "blockHash": BLOCK_HASH,
    "transactionIndex": "0x0",
    "contractAddress": None,
    "cumulativeGasUsed": "0x5208",
    "gasUsed": "0x5208",
    "effectiveGasPrice": "0x1",
    "logsBloom": "0x" + "00" * 256,
    "type": "0x2",
    "logs": [LOG],
}
BLOCK: dict[str, Any] = {
    "number": "0x10",
    "hash": BLOCK_HASH,
    "parentHash": TX,
    "baseFeePerGas": "0x7",
    "extraData": "0x" + "ab" * 97,
    "timestamp": "0x5",
    "miner": "0x" + "00" * 20,
    "difficulty": "0x0",
    "sealFields": [],
    "signature": "0x",
    "step": "12",
    "logsBloom": "0x",
    "transactions": [TX],
}
NEEDED = {
    "block": {"number", "hash"},
    "receipt": {"transactionHash", "status", "from", "blockNumber", "logs"},
    "log": {"address", "topics", "data", "blockNumber", "transactionHash", "logIndex"},
    # Absent or right: a base fee that is nonsense is not taken for none.
    "optional": {"baseFeePerGas", "blockHash"},
}
MISSING = object()
NONSENSE = st.sampled_from(
    [MISSING, None, "", "0x", "0xzz", "x", "é", -1, 1.5, True, [], {}, {"a": 1}, "0x" + "ab" * 97]
)
ABSENT = st.sampled_from([MISSING, None, "", "0x"])


def changed(item: dict[str, Any], changes: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in (item | changes).items() if value is not MISSING}


def needless(item: dict[str, Any], kind: str) -> st.SearchStrategy[dict[str, Any]]:
    names = sorted(item.keys() - NEEDED[kind] - NEEDED["optional"])
    return st.dictionaries(st.sampled_from([*names, "newField"]), NONSENSE)


unhurried = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])  # machines differ


@unhurried
@given(needless(BLOCK, "block"))
def test_a_block_lacks_or_garbles_what_nobody_needs(changes: dict[str, Any]) -> None:
    assert Header.of(changed(BLOCK, changes)) == Header(16, BLOCK_HASH, 7)


@unhurried
@given(needless(RECEIPT, "receipt"), needless(LOG, "log"), ABSENT, ABSENT)
def test_a_receipt_lacks_or_garbles_what_nobody_needs(
    changes: dict[str, Any], in_log: dict[str, Any], position: Any, block_hash: Any
) -> None:
    log = changed(LOG, in_log | {"blockHash": block_hash, "logIndex": position, "transactionHash": None})
    found = Receipt.of(changed(RECEIPT, changes | {"blockHash": block_hash, "logs": [log]}))
    assert (found.tx_hash, found.succeeded, found.sender, found.block_number) == (TX, True, "0x" + "22" * 20, 16)
    assert found.logs == (Log("0x" + "11" * 20, (TOPIC,), b"\1", TX, 16, 0),)


@unhurried
@given(needless(LOG, "log"), ABSENT)
def test_a_log_lacks_or_garbles_what_nobody_needs(changes: dict[str, Any], block_hash: Any) -> None:
    changes.pop("removed", None)
    log = Log.of(changed(LOG, changes | {"blockHash": block_hash}))
    assert log == Log("0x" + "11" * 20, (TOPIC,), b"\1", TX, 16, 2)


@pytest.mark.parametrize(
    ("kind", "name", "value"),
    [
        (kind, name, value)
        for kind in ("block", "receipt", "log")
        for name in sorted(NEEDED[kind])
        for value in (MISSING, "0xzz", -1, 1.5, {"a": 1}, "0x" + "ab" * 97, True)
        if (name, value) != ("data", "0x" + "ab" * 97)  # data may have any length
    ],
)
def test_what_is_needed_is_not_guessed(kind: str, name: str, value: Any) -> None:
    if (kind, name, value) == ("receipt", "status", "0x" + "ab" * 97):
        value = "0xzz"
    item, read = {"block": (BLOCK, Header.of), "receipt": (RECEIPT, Receipt.of), "log": (LOG, Log.of)}[kind]
    with pytest.raises(AnswerMalformed):
        read(changed(item, {name: value}))


@pytest.mark.parametrize("absent", [MISSING, None, "", "0x"])
def test_a_chain_without_a_base_fee(absent: Any) -> None:
    assert Header.of(changed(BLOCK, {"baseFeePerGas": absent})).base_fee is None
    with pytest.raises(AnswerMalformed):
        Header.of(changed(BLOCK, {"baseFeePerGas": "much"}))


def test_a_receipt_of_another_transaction_is_none_of_ours() -> None:
    with pytest.raises(AnswerMalformed):
        receipt_of("0x" + "ab" * 32).read(RECEIPT)
    assert receipt_of(TX).read(RECEIPT).tx_hash == TX


def test_receipts_and_logs_that_wait_to_be_mined_are_not_there() -> None:
    for absent in (None, "", "0x"):
        assert receipt_of(TX).read(RECEIPT | {"blockNumber": absent}) is None
        assert logs_between(0, 20, [TOPIC]).read([LOG | {"blockNumber": absent}]) == []


def test_logs_that_were_not_asked_for_are_left_out() -> None:
    question = logs_between(10, 20, [TOPIC])
    others = [{"topics": [TX]}, {"topics": []}, {"topics": None}, {"blockNumber": "0x9"}, {"removed": True}]
    assert len(question.read([LOG, *(LOG | other for other in others)])) == 1
    for nonsense in (None, {}, "0x", [None], ["x"], [LOG | {"data": None}]):
        with pytest.raises(AnswerMalformed):
            question.read(nonsense)

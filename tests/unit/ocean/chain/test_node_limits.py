"""What nodes' words mean, and what is learnt from them."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ocean.chain.errors import CallReverted, NodeRefused, refusal
from ocean.chain.pacing import BatchLimit, Pause, RangeLimit
from ocean.chain.refusals import Meaning, limit_named, meaning, text_of, wait_named
from tests.support.node_texts import BATCHES, RANGES, RATES, RESULTS

pytestmark = pytest.mark.unit

WORDLESS = {"wordless", "unrelated words"}
NOT_THERE = [
    "header not found",
    "unknown block",
    "block not found",
    "One of the blocks specified in filter (fromBlock, toBlock or blockHash) cannot be found.",
    "block range extends beyond current head block",
    "invalid block range params",
    "transaction not found",
]


@pytest.mark.parametrize("form", [form for form in RANGES if form not in WORDLESS])
def test_words_about_ranges(form: str) -> None:
    _, code, words = RANGES[form]
    message = words.format(limit=500, asked=10_000)
    assert meaning(code, message) is Meaning.RANGE
    assert limit_named(message, 10_000) == (500 if "{limit}" in words else None)


@pytest.mark.parametrize("form", RESULTS)
def test_words_about_results(form: str) -> None:
    _, code, words = RESULTS[form]
    assert meaning(code, words.format(limit=10_000)) is Meaning.RESULTS


@pytest.mark.parametrize("form", [form for form in RATES if form != "unknown code"])
def test_words_about_rates(form: str) -> None:
    _, code, words = RATES[form]
    assert meaning(code, words) is Meaning.RATE


@pytest.mark.parametrize("words", NOT_THERE)
def test_words_about_what_is_not_there(words: str) -> None:
    assert meaning(-32000, words) is Meaning.NOT_THERE


def test_words_about_batches() -> None:
    said = [words for _, _, _, words in BATCHES.values() if "batch" in words.lower()]
    assert said
    for words in said:
        assert meaning(-32005, words.format(limit=3, asked=50)) is Meaning.BATCH


def test_other_words() -> None:
    for words in ("internal error", "the method eth_foo does not exist/is not available", "nonce too low", ""):
        assert meaning(-32000, words) is Meaning.OTHER


@pytest.mark.parametrize("words", ["batch too large", "too many requests", "block range", "unknown block"])
@pytest.mark.parametrize("form", [(3, "{}"), (-32000, "execution reverted: {}"), (-32015, "VM error: revert: {}")])
def test_what_a_contract_says_means_nothing(form: tuple[int, str], words: str) -> None:
    code, said = form
    assert meaning(code, said.format(words)) is Meaning.OTHER
    assert isinstance(refusal(1, {"code": code, "message": said.format(words)}), CallReverted)


def test_reasons_in_the_data_of_an_error() -> None:
    error = {
        "code": -32602,
        "message": "invalid params",
        "data": {"payload": "range 9009594 is bigger than range limit 2000"},
    }
    refused = refusal(1, error)
    assert isinstance(refused, NodeRefused)
    assert meaning(refused.code, refused.reason) is Meaning.RANGE
    assert limit_named(refused.reason, 10_000) == 2000
    assert text_of("plain") == "plain"


@pytest.mark.parametrize(
    ("words", "seconds"),
    [
        ("retry in 10s", 10),
        ("try again in 1.5 seconds", 1.5),
        ("retry after 500ms", 0.5),
        ("wait 2 min", 120),
        ("no", None),
    ],
)
def test_waits_in_words(words: str, seconds: float | None) -> None:
    assert wait_named(words) == seconds


@settings(deadline=None)
@given(cap=st.integers(1, 3000), hint=st.booleans(), blocks=st.integers(1, 60_000))
def test_a_ceiling_is_found_and_kept(cap: int, hint: bool, blocks: int) -> None:
    """Whatever the ceiling: it is never passed often, and nearly reached."""
    limit, asked, refused, left = RangeLimit(10_000, 100_000), 0, 0, blocks
    while left > 0:
        size = min(limit.size, left)
        asked += 1
        if size > cap:
            refused += 1
            limit.refused(size, cap if hint else None)
        else:
            limit.accepted(size)
            left -= size
    assert asked <= 1.05 * (blocks / cap) + 30
    assert refused <= 25 + asked // 90


def test_a_dense_part_is_no_ceiling() -> None:
    limit = RangeLimit(1000, 1000)
    limit.accepted(1000)
    limit.too_much(1000)
    assert limit.size == 500
    for _ in range(4):
        limit.accepted(500)
    assert limit.size == 1000


def test_a_batch_limit_is_tried_again_ever_more_rarely() -> None:
    now = [0.0]
    limit = BatchLimit(50, clock=lambda: now[0])
    limit.refused(50, 3)
    assert limit.size() == 3
    tries = []
    for second in range(1, 3000):
        now[0] = float(second)
        if (size := limit.size()) > 3:
            tries.append(second)
            limit.refused(size, None)
            assert limit.size() == 3
    assert tries[:4] == [60, 180, 420, 900]
    now[0] = 10_000
    for _ in range(6):
        size = limit.size()
        limit.accepted(size)
        now[0] += 10_000
    assert limit.size() == 50


def test_a_pause_is_as_long_as_told_and_ends() -> None:
    now = [0.0]
    pause = Pause(clock=lambda: now[0])
    assert pause.wait() == 0
    pause.begin(7)
    waits = {pause.wait() for _ in range(20)}
    assert all(7 <= wait <= 8.1 for wait in waits)
    assert len(waits) > 1, "not all at once"
    now[0] = 7.1
    assert pause.wait() == 0
    pause.begin(3600)
    assert pause.left() <= Pause.LONGEST_SECONDS
    now[0] = 100
    pause.end()
    lengths = []
    for _ in range(3):
        pause.begin(None)
        lengths.append(pause.left())
    assert lengths == sorted(lengths)
    assert lengths[0] < lengths[-1]

"""Models and pickles."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from typing import Final

from pods.publishing.kinds.streams import MAX_FIELDS, MAX_NAME, MAX_NOTES, Limits, NotIt, Stream

_SAFETENSORS_HEADER: Final = 4 << 20
_TENSOR_BYTES: Final = (
    dict.fromkeys(("F64", "I64", "U64", "C64"), 8)
    | dict.fromkeys(("F32", "I32", "U32"), 4)
    | dict.fromkeys(("F16", "BF16", "I16", "U16"), 2)
    | dict.fromkeys(("I8", "U8", "BOOL", "F8_E4M3", "F8_E5M2", "F8_E8M0"), 1)
)


def check_safetensors(stream: Stream, limits: Limits) -> None:
    """Tensors as long as their types and shapes say, one behind the other, from the end of the header to that of the
    file. What else is in the header has at most MAX_NOTES bytes."""
    (length,) = stream.unpacked("<Q")
    try:
        header = json.loads(stream.read(length).decode())
        notes = len(json.dumps(header.pop("__metadata__", {})))
        tensors = sorted(_tensor(**each) for each in header.values())
    except (ValueError, TypeError, AttributeError, RecursionError):
        raise NotIt from None
    at = 0
    for begin, end in tensors:
        if begin != at:
            raise NotIt
        at = end
    if notes > MAX_NOTES or length > MAX_NOTES + 2 * MAX_NAME * len(tensors):
        raise NotIt
    stream.skip(at)
    stream.end()


def _tensor(dtype: str, shape: list[int], data_offsets: list[int]) -> tuple[int, int]:
    begin, end = data_offsets
    if len(shape) > 64 or any(type(number) is not int or not 0 <= number < 1 << 63 for number in (*shape, begin, end)):
        raise ValueError
    if dtype not in _TENSOR_BYTES or math.prod(shape) * _TENSOR_BYTES[dtype] != end - begin:
        raise ValueError
    return begin, end


# Fields of the messages ModelProto and GraphProto: how they are written, and whether they are notes.
_ONNX_MODEL: Final = {1: 0, 2: 2, 3: 2, 4: 2, 5: 0, 6: 2, 7: 2, 8: 2, 14: 2, 20: 2, 25: 2, 26: 2}
_ONNX_MODEL_NOTES: Final = frozenset({2, 3, 4, 6, 14})
_ONNX_GRAPH: Final = dict.fromkeys((1, 2, 5, 10, 11, 12, 13, 14, 15, 16), 2)
_ONNX_GRAPH_NOTES: Final = frozenset({2, 10, 16})


def check_onnx(stream: Stream, limits: Limits) -> None:
    """A model with one graph, which has nodes and outputs, of fields that the format has, and notes of at most
    MAX_NOTES bytes together. Nodes and weights are not looked into."""
    model: set[int] = set()
    graph: set[int] = set()
    notes = 0
    for number, value in _protobuf(stream, None, _ONNX_MODEL):
        if number == 7 and 7 not in model:
            for inner, length in _protobuf(stream, stream.position + value, _ONNX_GRAPH):
                graph.add(inner)
                notes += length if inner in _ONNX_GRAPH_NOTES else 0
                stream.skip(length)
        elif number == 7 or (number == 1 and not 1 <= value <= 100):
            raise NotIt
        elif _ONNX_MODEL[number] == 2:
            notes += value if number in _ONNX_MODEL_NOTES else 0
            stream.skip(value)
        model.add(number)
    if not {1, 7, 8} <= model or not {1, 12} <= graph or notes > MAX_NOTES:
        raise NotIt


def _protobuf(stream: Stream, stop: int | None, known: dict[int, int]) -> Iterator[tuple[int, int]]:
    """Numbers of fields, with their values or the lengths of what follows them and has to be taken by the caller."""
    for _ in range(MAX_FIELDS):
        if stream.position == stop if stop is not None else not stream.peek(1):
            return
        number, form = divmod(_varint(stream), 8)
        if known.get(number) != form:
            raise NotIt
        value = _varint(stream)
        if stop is not None and stream.position + value > stop:
            raise NotIt
        yield number, value
    raise NotIt


def _varint(stream: Stream) -> int:
    value = 0
    for place in range(10):
        (byte,) = stream.read(1)
        value |= (byte & 0x7F) << 7 * place
        if byte < 0x80:
            return value
    raise NotIt


def check_pickle(stream: Stream, limits: Limits) -> None:
    """It begins and ends as one does. What is between is not looked at: there may be arrays that joblib has written, or
    anything else."""
    if stream.rest(1) != b".":
        raise NotIt


def is_safetensors(head: bytes) -> bool:
    return head[8:9] == b"{" and int.from_bytes(head[:8], "little") <= _SAFETENSORS_HEADER

import json
from typing import Any

import pytest

from ocean.parameters import ParameterRefused, completed

pytestmark = pytest.mark.unit


def definition(type_: str, *, required: Any = False, **more: Any) -> dict[str, Any]:
    return {"name": "p", "type": type_, "label": "P", "description": "p", "required": required} | more


SELECT = {"options": [{"a": "A"}, {"b": "B"}], "default": "b"}

CASES: list[tuple[Any, Any, Any]] = [
    (None, None, None),
    (None, {"x": 1}, {"x": 1}),
    ([], '{"x":1}', {"x": 1}),
    (None, "cut off {", None),
    (None, [1], [1]),
    ([definition("text")], {"p": "v", "q": [1]}, {"p": "v", "q": [1]}),
    ([definition("text", default="d")], {}, {"p": "d"}),
    ([definition("text", default="d")], {"p": None}, {"p": "d"}),
    ([definition("text", default="d")], "cut off {", {"p": "d"}),
    ([definition("text", default="d")], ["no object"], {"p": "d"}),
    ([definition("text", default="")], {"p": None}, {"p": ""}),
    ([definition("text")], {}, {}),
    ([definition("text", default=7)], {}, {"p": "7"}),
    ([definition("text")], {"p": ""}, {"p": ""}),
    ([definition("text")], {"p": 1}, {"p": "1"}),
    ([definition("text")], {"p": {}}, "invalid:p"),
    ([definition("text", required=True, default="d")], {}, {"p": "d"}),
    ([definition("text", required=True, default="")], {}, "missing:p"),
    ([definition("text", required="true")], {"p": None}, "missing:p"),
    ([definition("text", required="False", default="d")], {}, {"p": "d"}),
    ([definition("number")], {"p": 1.5}, {"p": 1.5}),
    ([definition("number")], {"p": 0}, {"p": 0}),
    ([definition("number", required=True)], {"p": 0}, {"p": 0}),
    ([definition("number")], {"p": "1"}, {"p": 1}),
    ([definition("number")], {"p": "one"}, "invalid:p"),
    ([definition("number")], {"p": True}, "invalid:p"),
    ([definition("number", default="5")], {}, {"p": 5}),
    ([definition("number", default="x")], {}, {}),
    ([definition("boolean")], {"p": False}, {"p": False}),
    ([definition("boolean", required=True)], {"p": False}, {"p": False}),
    ([definition("boolean")], {"p": 0}, {"p": False}),
    ([definition("boolean")], {"p": 7}, "invalid:p"),
    ([definition("boolean")], {"p": "true"}, {"p": True}),
    ([definition("boolean", default="True")], {}, {"p": True}),
    ([definition("boolean", default=False)], {}, {"p": False}),
    ([definition("select", **SELECT)], {"p": "a"}, {"p": "a"}),
    ([definition("select", **SELECT)], {}, {"p": "b"}),
    ([definition("select", **SELECT)], {"p": "A"}, "invalid:p"),
    ([definition("select", **SELECT)], {"p": ["a"]}, {"p": "a"}),
    ([definition("select", options=['{"a": "A"}', "b"])], {"p": "a"}, {"p": "a"}),
    ([definition("select", options=['{"a": "A"}', "b"])], {"p": "b"}, {"p": "b"}),
    ([definition("select", options=json.dumps([{"a": "A"}]))], {"p": "a"}, {"p": "a"}),
    ([definition("select")], {"p": "a"}, "invalid:p"),
    ([definition("select", options=7)], {"p": "a"}, "invalid:p"),
    ([definition("colour")], {"p": 7}, {"p": 7}),
    (json.dumps([definition("text", default="d")]), None, {"p": "d"}),
    ([json.dumps(definition("text", default="d"))], None, {"p": "d"}),
    ([7, {"type": "text"}, {"name": 5}], {"p": 1}, {"p": 1}),
    ("no json", {"p": 1}, {"p": 1}),
    ([definition("text"), definition("number", name="n", required=True)], {"p": "x"}, "missing:n"),
]


@pytest.mark.parametrize(("definitions", "given", "expected"), CASES)
def test_cases(definitions: Any, given: Any, expected: Any) -> None:
    before = json.dumps(given)
    if isinstance(expected, str):
        with pytest.raises(ParameterRefused) as caught:
            completed(definitions, given)
        assert str(caught.value) == expected
    else:
        assert completed(definitions, given) == expected
    assert json.dumps(given) == before

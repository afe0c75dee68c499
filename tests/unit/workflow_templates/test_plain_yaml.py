import pytest
import yaml

from workflow_templates.plain_yaml import plain_yaml

pytestmark = pytest.mark.unit


def test_what_stands_twice_is_written_twice_and_order_stays() -> None:
    shared = {"b": 1, "a": ["long " * 100]}
    document = {"second": shared, "first": shared}
    text = plain_yaml(document)
    assert yaml.safe_load(text) == document
    assert "&" not in text
    assert [line.split(":")[0] for line in text.splitlines() if line[0] != " "] == ["second", "first"]
    assert len(text.splitlines()) == 8

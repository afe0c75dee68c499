import pytest

from ocean.kit.kubernetes_names import is_label, is_label_key, is_label_value, is_subdomain

pytestmark = pytest.mark.unit


@pytest.mark.parametrize(
    ("text", "label", "subdomain", "key", "value"),
    [
        ("", False, False, False, True),
        ("a", True, True, True, True),
        ("0-a", True, True, True, True),
        ("a\n", False, False, False, False),
        ("-a", False, False, False, False),
        ("a-", False, False, False, False),
        ("a.b", False, True, True, True),
        ("a_b", False, False, True, True),
        ("A", False, False, True, True),
        ("é", False, False, False, False),
        ("example.com/name", False, False, True, False),
        ("Example.com/name", False, False, False, False),
        ("/name", False, False, False, False),
        ("-a/name", False, False, False, False),
        ("example.com/", False, False, False, False),
        ("a" * 63, True, True, True, True),
        ("a" * 64, False, True, False, False),
        ("a" * 253, False, True, False, False),
        ("a" * 254, False, False, False, False),
        ("a" * 253 + "/" + "b" * 63, False, False, True, False),
        ("a" * 254 + "/" + "b", False, False, False, False),
    ],
)
def test_what_kubernetes_takes(text: str, label: bool, subdomain: bool, key: bool, value: bool) -> None:
    found = (is_label(text), is_subdomain(text), is_label_key(text), is_label_value(text))
    assert found == (label, subdomain, key, value)

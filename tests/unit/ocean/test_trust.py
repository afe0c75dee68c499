import hashlib

import pytest

from ocean.trust import container_checksum, files_checksum

pytestmark = pytest.mark.unit

ONE, TWO = (hashlib.sha256(data).hexdigest() for data in (b"print('hi')\n", b"a,b\n1,2\n"))


def test_files_checksum_joins_digests_in_order() -> None:
    assert files_checksum([ONE]) == "caf026f25d7140209f98072605307a438914b9ce6f3c14b23d15d9667241de52"
    assert TWO == "492d5ea496056f1a6a6592241032fab764c321596317930b4fa0e1e8bc3b7470"
    assert files_checksum([ONE.upper(), TWO]) == ONE + TWO
    assert files_checksum([]) == ""


@pytest.mark.parametrize("text", ["", "0x" + ONE[2:], ONE[:-1], ONE + "0"])
def test_only_digests_are_joined(text: str) -> None:
    with pytest.raises(ValueError, match="64 hex digits"):
        files_checksum([ONE, text])


@pytest.mark.parametrize(
    ("digits", "expected"),
    [
        ("ab" * 32, "8d44777526d7123078d545c59b5a7f9ae8f11997e644f90a6b95770944585e89"),
        ("a" * 64, "fa0019824268fa80eb3739888e99d33011863c78e50d4f6fc3019fd491e82ce9"),
    ],
)
def test_container_checksum(digits: str, expected: str) -> None:
    assert container_checksum("python $ALGO", "sha256:" + digits) == expected

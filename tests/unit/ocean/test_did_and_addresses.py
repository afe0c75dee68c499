import pytest

from ocean.addresses import AddressInvalid, canonical, checksum, is_address
from ocean.did import did_of, is_did

pytestmark = pytest.mark.unit

NFT = "0x32467b43BFa67273FC7dDda0999Ee9A12F2AaA08"
DID = "did:op:09bd86fd19b7120a0307dbd3ea5751810f346e64e74ac3ba4ec2511c37c0e3a9"


@pytest.mark.parametrize(
    "address",
    [
        NFT,
        "0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266",
        "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed",
        "0xD1220A0cf47c7B9Be7A2E6BA89F429762e7b9aDb",
        "0x0000000000000000000000000000000000000000",
    ],
)
def test_every_spelling_is_one_account(address: str) -> None:
    for spelling in (address, address.lower(), "0X" + address[2:].upper(), address[2:]):
        assert checksum(spelling) == address
        assert canonical(spelling) == address.lower()
        assert is_address(spelling)


@pytest.mark.parametrize("text", ["", "0x", "0x12", NFT + "0", NFT[:-1] + "g", " " + NFT, NFT + "\n", "0x" + "٣" * 40])
def test_other_texts_are_no_addresses(text: str) -> None:
    assert not is_address(text)
    with pytest.raises(AddressInvalid):
        checksum(text)
    with pytest.raises(AddressInvalid):
        canonical(text)


@pytest.mark.parametrize("spelling", [NFT, NFT.lower(), "0x" + NFT[2:].upper()])
def test_did_is_made_of_the_checksum_spelling(spelling: str) -> None:
    assert did_of(spelling, 8996) == DID


def test_did_of_a_second_vector() -> None:
    expected = "did:op:dda2cf53dc1b2e3a79758bafb62ae3c912010f16d7851437fdfaf0191799d847"
    assert did_of("0x70997970C51812dc3A010C7d01b50e0d17dc79C8", 8996) == expected
    assert did_of("0x70997970C51812dc3A010C7d01b50e0d17dc79C8", 1) != expected


def test_is_did() -> None:
    assert is_did(DID)
    for other in (DID.upper(), DID[:-1], DID + "0", "did:ov:" + DID[7:], "", None, 7, DID + "\n"):
        assert not is_did(other)

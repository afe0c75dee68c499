"""A validator's proof: the signature of a document's SHA-256, as the NFT contract recovers it."""

from __future__ import annotations

import hashlib

import pytest

from ocean.keys import Signature, ethereum_digest, recover_digest
from ocean.metadata_proof import prove

pytestmark = pytest.mark.unit

# Account 3 of the public development mnemonic.
KEY = "0x7c852118294e51e653712a81e05800f419141751be58f605c371e15141b007a6"
ADDRESS = "0x90F79bf6EB2c4f870365E785982E1f101E93b906"


@pytest.mark.parametrize("document", [b"{}", b'{ "id": 1 }', b""])
def test_the_signer_is_recovered_from_the_hash(document: bytes) -> None:
    proof = prove(document, KEY)
    assert proof.validator == ADDRESS
    assert proof.digest == hashlib.sha256(document).digest()
    assert proof.v in (27, 28)
    signature = Signature(proof.v - 27, proof.r, proof.s)
    assert recover_digest(ethereum_digest(proof.digest), signature) == ADDRESS
    assert proof.tuple() == (ADDRESS, proof.v, proof.r, proof.s)

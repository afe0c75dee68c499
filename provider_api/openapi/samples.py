"""Values for the examples: public development accounts, and identifiers that follow from them."""

from __future__ import annotations

from typing import Any, Final

CONSUMER: Final = "0x3C44CdDdB6a900fa2b585dd299e03d12FA4293BC"
PROVIDER: Final = "0x90F79bf6EB2c4f870365E785982E1f101E93b906"
ENVIRONMENT_ADDRESS: Final = "0x15d34AAf54267DB7D7c367839AAf71A00a2C6A65"
NFT: Final = "0x70997970C51812dc3A010C7d01b50e0d17dc79C8"
DATATOKEN: Final = "0x0D95de1dd1b6bb0A0a3Df16aD3a2bAcC5ae0Cb29"
FEE_TOKEN: Final = "0x5FbDB2315678afecb367f032d93F642f64180aa3"  # noqa: S105  (an address)
DID: Final = "did:op:dda2cf53dc1b2e3a79758bafb62ae3c912010f16d7851437fdfaf0191799d847"
ALGORITHM_DID: Final = "did:op:7c2a1c54a86fb5d7f0d3e6a3ab6e0f5c5d4a1d0cf8b0a2fb1a7d2d1a7e7c1e55"
TX: Final = "0x" + "5e" * 32
SECOND_TX: Final = "0x" + "7a" * 32
JOB: Final = "5e1f00c0ffee4d0fa11ce0f0badc0de5"
SIGNATURE: Final = "0x" + "3e01c1089291a5c743d84b0ea5c8d399" * 4 + "1c"
NONCE: Final = "58"
MOMENT: Final = 1_790_000_000
ENVIRONMENT: Final = "ocean-compute"
CHECKSUM: Final = "sha256:" + "ab" * 32
TOKEN: Final = "eyJ0eXAiOiJKV1QiLCJhbGciOiJIUzI1NiJ9.eyJleHAiOjE3OTAwMDM2MDAsImFkZHJlc3MiOiIweDNDNDQifQ.aGVsbG8"  # noqa: S105

CONTAINER: Final[dict[str, Any]] = {"entrypoint": "python $ALGO", "image": "python", "tag": "3", "checksum": CHECKSUM}
RAW_ALGORITHM: Final[dict[str, Any]] = {
    "rawcode": "import os; print(os.listdir(os.environ['INPUTS']))",
    "language": "python",
    "version": "1",
    "container": CONTAINER,
}
DATASET: Final[dict[str, Any]] = {"documentId": DID, "serviceId": "compute-1", "transferTxId": TX}
ALGORITHM: Final[dict[str, Any]] = {
    "documentId": ALGORITHM_DID,
    "serviceId": "access-1",
    "transferTxId": SECOND_TX,
}
DDO: Final[dict[str, Any]] = {
    "id": DID,
    "version": "4.1.0",
    "chainId": 8996,
    "nftAddress": NFT,
    "metadata": {"name": "Rain", "type": "dataset"},
    "services": [],
    "event": {"tx": TX},
}


def without_order(asset: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in asset.items() if name != "transferTxId"}


def fee(amount: str = "0", valid_until: int = 0) -> dict[str, Any]:
    """A provider fee as clients hand it to the datatoken's contract."""
    return {
        "providerFeeAddress": PROVIDER,
        "providerFeeToken": FEE_TOKEN,
        "providerFeeAmount": amount,
        "providerData": "0x" + b'{"environment":"ocean-compute"}'.hex(),
        "v": 27,
        "r": "0x" + "2c" * 32,
        "s": "0x" + "33" * 32,
        "validUntil": valid_until,
    }


def job(**changes: Any) -> dict[str, Any]:
    """A finished job; changes make others of it."""
    return {
        "agreementId": TX,
        "jobId": JOB,
        "owner": CONSUMER,
        "status": 70,
        "statusText": "Job finished",
        "dateCreated": f"{MOMENT}.250000",
        "dateFinished": f"{MOMENT + 9}.500000",
        "results": [
            {"index": 0, "filename": "model.json", "filesize": 512, "type": "output"},
            {"index": 1, "filename": "algorithm.log", "filesize": 81, "type": "algorithmLog"},
        ],
        "stopreq": 0,
        "removed": 0,
        "algoDID": ALGORITHM_DID,
        "inputDID": [DID],
        "environment": ENVIRONMENT,
        "chainId": 8996,
        "validUntil": MOMENT + 600,
        "startedAt": f"{MOMENT + 2}.000000",
        "exitCode": 0,
        "reason": "completed",
        **changes,
    }


def new_job() -> dict[str, Any]:
    """A job that has just been accepted."""
    running = {"dateFinished": None, "results": "", "startedAt": None, "exitCode": None, "reason": ""}
    return job(status=1, statusText="Warming up", queuePosition=1, **running)

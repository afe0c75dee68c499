"""`store.json`: what publishing pods are told of the result store that the service reads. In a cluster a Secret's file.

Of the key that opens sealed results they get the public half: a pod can seal, and cannot read what others have sealed.
"""

from __future__ import annotations

from typing import Any, Final

from contract.keys import encode_key
from provider_api.keys import ProviderKeys
from provider_api.settings import ResultSettings
from results.ipfs import SCHEMES

RESULTS_IN_POD: Final = "file:///results"  # where environments mount the claim with the results


def pods_store(settings: ResultSettings, keys: ProviderKeys) -> dict[str, Any]:
    """The document, with the store's secrets in plain text. A folder is the volume that pods have mounted."""
    url = settings.url or "file:"
    scheme = url.partition(":")[0]
    if scheme == "file":
        return {"url": RESULTS_IN_POD}
    document: dict[str, Any] = {"url": url}
    document["options"] = {name: value.get_secret_value() for name, value in settings.options.items()}
    if scheme in SCHEMES:
        document["seal_for"] = encode_key(keys.results.public_key)
    return document

"""Recorded requests of a client, sent again: with other assets, orders and keys, and signatures made anew.

What a recording says of the answers is compared by shape: every field that the client got then must be there, with a
value of the same kind. More fields are allowed.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
from eth_account.signers.local import LocalAccount

from ocean.signing import download_message, result_message, sign, start_message
from tests.support.market import TOKEN_PRICE

RECORDINGS = Path(__file__).parents[1] / "recordings" / "clients"


@dataclass
class ClientReplay:
    """`exchanges`: by number. `others`: recorded text → ours, wherever it stands in a request."""

    http: httpx.AsyncClient
    key: LocalAccount
    exchanges: dict[int, dict[str, Any]]
    others: dict[str, str] = field(default_factory=dict)

    @classmethod
    def of(cls, name: str, http: httpx.AsyncClient, key: LocalAccount) -> ClientReplay:
        recorded = json.loads((RECORDINGS / name).read_text())
        consumer = recorded["accounts"]["consumer"].split(",")[0]
        made = cls(http, key, {each["n"]: each for step in recorded["steps"] for each in step["exchanges"]})
        made.replace(consumer, key.address)
        return made

    def replace(self, recorded: str, ours: str) -> None:
        self.others[recorded] = ours
        if recorded != recorded.lower():  # an address, which the client writes in small letters elsewhere
            self.others[recorded.lower()] = ours.lower()

    def recorded(self, number: int) -> Any:
        """The values that were sent, with ours in their places."""
        request = self.exchanges[number]["request"]
        return json.loads(self._ours(json.dumps(request.get("json", request.get("query")))))

    def _ours(self, text: str) -> str:
        """All at once: a fresh chain makes the addresses of the recording again, for other things."""
        longest_first = sorted(self.others, key=len, reverse=True)
        return re.sub("|".join(map(re.escape, longest_first)), lambda match: self.others[match[0]], text)

    async def send(self, number: int, *, alike: bool = True, **changes: Any) -> Any:
        """The answer, which must be as it was unless not `alike`; `changes` replace values of the request."""
        exchange = self.exchanges[number]
        request, expected = exchange["request"], exchange["answer"]
        path = self._ours(request["path"])
        values = self.recorded(number)
        if isinstance(values, dict):
            values |= changes
            if "signature" in values:
                values |= await self._signed(path, values)
            if "operationName" in values:
                values["query"] = TOKEN_PRICE
        if "json" in request:
            query = request.get("query")
            kind = "octet-stream" if path.endswith(("/encrypt", "/validate")) else "json"
            headers, content = {"content-type": f"application/{kind}"}, json.dumps(values)
            answer = await self.http.request(request["method"], path, params=query, content=content, headers=headers)
        else:
            answer = await self.http.request(request["method"], path, params=values)
        assert answer.status_code == expected["status"], (number, answer.text)
        if "json" not in expected or path.endswith("/computeResult"):  # what a result holds is the algorithm's matter
            return answer.text
        if alike:
            require_shape(expected["json"], answer.json(), f"{number} {path}")
        return answer.json()

    async def _signed(self, path: str, values: dict[str, Any]) -> dict[str, str]:
        last = (await self.http.get("/api/services/nonce", params={"userAddress": self.key.address})).json()["nonce"]
        nonce = str(int(last or 0) + 1)
        consumer = values["consumerAddress"]
        if path.endswith("/download"):
            message = download_message(values["documentId"], nonce)
        elif path.endswith("/computeResult"):
            message = result_message(consumer, values["jobId"], values["index"], nonce)
        else:
            message = start_message(consumer, values["dataset"]["documentId"], nonce)
        return {"nonce": nonce, "signature": sign(message, self.key)}


def require_shape(recorded: Any, ours: Any, place: str) -> None:
    """Every field of before, with a value of the same kind; a value that was or is null may be of any."""
    if recorded is None or ours is None:
        return
    if place.endswith((".nonce", ".results", ".price")):
        return  # a number or a text; a list once there is something to list; known once it is sold
    if isinstance(recorded, dict):
        assert isinstance(ours, dict), place
        for name, value in recorded.items():
            assert name in ours or name.isdigit() or name == "queuePosition", f"{place}.{name} is missing"
            require_shape(value, ours.get(name), f"{place}.{name}")
    elif isinstance(recorded, list):
        assert isinstance(ours, list), place
        if recorded and ours:
            require_shape(recorded[0], ours[0], f"{place}[0]")
    else:
        numbers = (int, float)
        same = isinstance(ours, numbers) if isinstance(recorded, numbers) else type(ours) is type(recorded)
        assert same, f"{place} was {recorded!r}, is {ours!r}"

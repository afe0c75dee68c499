"""A real browser over the service's pages: headless Chromium, and in it a wallet whose keys stay with the test.

The wallet is a script as a wallet's extension is one: it announces itself (EIP-6963) and asks this process to sign.
Where there is no browser the tests are skipped by name, and fail in CI. Pictures are kept where C2D_PICTURES says so.
"""

from __future__ import annotations

import http.server
import json
import os
import shutil
import threading
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any, Final, Self

import pytest
from eth_account.messages import encode_defunct
from eth_account.signers.local import LocalAccount
from playwright.async_api import Browser as Chromium
from playwright.async_api import BrowserContext, Page, async_playwright

from tests.support.clients import INSTALLED, require_client
from tests.support.quiet_server import QuietServer

PATIENCE_MS: Final = 90_000  # workers share two cores
WIDE, PHONE = {"width": 1280, "height": 900}, {"width": 390, "height": 844}
_ICON: Final = (
    "data:image/svg+xml,%3Csvg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 8 8'%3E"
    "%3Crect width='8' height='8' rx='2' fill='%23f0a030'/%3E%3C/svg%3E"
)
_WALLET: Final = """
(() => {
  const provider = {
    request: async ({ method, params }) => {
      const { result, error } = JSON.parse(await window.walletOfTheTest(JSON.stringify({ method, params })));
      if (error) throw Object.assign(new Error(error.message), error);
      return result;
    },
  };
  const info = { uuid: "5f8b0e3c-0000-4000-8000-000000000001", name: NAME, icon: ICON, rdns: "org.example.wallet" };
  const announce = () =>
    dispatchEvent(new CustomEvent("eip6963:announceProvider", { detail: Object.freeze({ info, provider }) }));
  addEventListener("eip6963:requestProvider", announce);
  announce();
})();
"""


class Wallet:
    """One account. `asked`: texts that it was asked to sign; `refuses`: the person says no."""

    def __init__(self, account: LocalAccount, *, chain_id: int = 8996, name: str = "Test Wallet") -> None:
        self.account, self.chain_id, self.name = account, chain_id, name
        self.asked: list[str] = []
        self.refuses = False

    async def answer(self, call: str) -> str:
        asked = json.loads(call)
        try:
            return json.dumps({"result": self._result(asked["method"], asked.get("params") or [])})
        except PermissionError as exc:
            return json.dumps({"error": {"code": 4001, "message": str(exc)}})

    def _result(self, method: str, params: list[Any]) -> Any:
        if method in ("eth_requestAccounts", "eth_accounts"):
            return [self.account.address]
        if method == "eth_chainId":
            return hex(self.chain_id)
        assert method == "personal_sign", method
        self.asked.append(bytes.fromhex(params[0][2:]).decode())
        if self.refuses:
            raise PermissionError("User rejected the request.")
        assert params[1].lower() == self.account.address.lower()
        signed = self.account.sign_message(encode_defunct(hexstr=params[0]))
        return "0x" + bytes(signed.signature).hex()

    def script(self) -> str:
        return _WALLET.replace("NAME", json.dumps(self.name)).replace("ICON", json.dumps(_ICON))


class Browser:
    """`async with Browser.open() as browser`; each `person` is somebody with a browser profile of his own."""

    def __init__(self, chromium: Chromium, stack: AsyncExitStack) -> None:
        self._chromium, self._stack = chromium, stack

    @classmethod
    @asynccontextmanager
    async def open(cls) -> AsyncIterator[Self]:
        program = require_program("chromium")
        async with AsyncExitStack() as stack:
            playwright = await stack.enter_async_context(async_playwright())
            arguments = ["--no-sandbox"] if os.geteuid() == 0 else []
            chromium = await playwright.chromium.launch(executable_path=program, args=arguments)
            stack.push_async_callback(chromium.close)
            yield cls(chromium, stack)

    async def person(self, wallet: Wallet | None = None, **options: Any) -> Person:
        """`options`: of the browser context, such as `java_script_enabled=False`, `color_scheme="dark"`."""
        context = await self._chromium.new_context(**{"viewport": WIDE, "locale": "en-GB", **options})
        self._stack.push_async_callback(context.close)
        context.set_default_timeout(PATIENCE_MS)
        if wallet is not None:
            await context.expose_function("walletOfTheTest", wallet.answer)
            await context.add_init_script(wallet.script())
        return Person(context, await context.new_page())


class Person:
    """A page, and what went wrong in it: errors of its scripts, what its policy blocked, what it asked of others."""

    def __init__(self, context: BrowserContext, page: Page) -> None:
        self.context, self.page = context, page
        self.troubles: list[str] = []
        self.requests: list[str] = []
        page.on("pageerror", lambda error: self.troubles.append(str(error)))
        page.on("console", lambda said: self.troubles.append(said.text) if "Content Security" in said.text else None)
        page.on("request", lambda request: self.requests.append(request.url))
        page.on("dialog", lambda dialog: self.troubles.append(f"a dialog: {dialog.message}"))

    async def sign_in(self, url: str, path: str = "jobs/") -> None:
        """With the wallet, at a page that asks for it."""
        await self.page.goto(f"{url}/{path}")
        await self.page.get_by_role("button", name="Sign in with Test Wallet").click()
        await self.page.get_by_role("button", name="Sign out").wait_for()

    async def violations(self) -> list[str]:
        """What axe-core finds on the page as it is, each with the places."""
        require_client("axe")
        source = (INSTALLED / "axe" / "node_modules" / "axe-core" / "axe.min.js").read_text()
        await self.page.evaluate(source)
        found = await self.page.evaluate("axe.run(document)")
        return [f"{each['id']}: {[node['html'][:120] for node in each['nodes']]}" for each in found["violations"]]

    async def picture(self, name: str) -> None:
        """Of the whole page, where somebody has asked for pictures."""
        if (folder := os.environ.get("C2D_PICTURES")) is not None:
            await self.page.screenshot(path=f"{folder}/{name}.png", full_page=True)


class AnotherSite:
    """`with AnotherSite(html) as url`: a page of somebody else; localhost is another site than 127.0.0.1."""

    def __init__(self, html: str) -> None:
        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self.send_response(200)
                self.send_header("Content-Type", "text/html")
                self.end_headers()
                self.wfile.write(html.encode())

            def log_message(self, format: str, *args: Any) -> None:
                """Nothing."""

        self._server = QuietServer(("127.0.0.1", 0), Handler)

    def __enter__(self) -> str:
        threading.Thread(target=self._server.serve_forever, name="another site", daemon=True).start()
        return f"http://localhost:{self._server.server_port}/"

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()


def require_program(name: str) -> str:
    """Its path. Skips the test where it is not installed, and fails it in CI."""
    found = shutil.which(name)
    if found is None:
        text = f"{name} is not installed: run tools/setup-clients as root, or install it"
        (pytest.fail if os.environ.get("CI") else pytest.skip)(text)
    return found

"""The pages for the command line, read as a reader does: one after the other, in one deployment."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from eth_account import Account

from ocean.chain.development import account
from provider_api.deploy.addresses import free_port
from tests.support.how_to import TUTORIAL, WITH_C2D
from tests.support.reader import Reader
from tests.support.sandboxes import require_sandboxes

pytestmark = [pytest.mark.integration, pytest.mark.timeout(1200)]

C2D = (sys.executable, "-c", "from provider_api.cli import main; main()")
# `make serve` is what `serving` does on a free port; `make demo` has its test in test_demo.py.
ADA = 7  # her account's number on the development chain
ELSEWHERE = ("make demo", "make serve")


@pytest.fixture
def serving(tmp_path: Path) -> Iterator[str]:
    """`make serve` of a user whose home is `tmp_path/home`; its address."""
    require_sandboxes()
    home, log = tmp_path / "home", tmp_path / "serve.log"
    home.mkdir()
    port = free_port()
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("C2D_", "XDG_"))}
    command = [*C2D, "serve", "--data", str(tmp_path / "data"), "--port", str(port)]
    with log.open("wb") as output:
        process = subprocess.Popen(command, env={**environment, "HOME": str(home)}, stdout=output, stderr=output)
    try:
        deadline = time.monotonic() + 200
        while b"Ctrl-C ends it" not in log.read_bytes():
            assert process.poll() is None, log.read_text()
            assert time.monotonic() < deadline, log.read_text()
            time.sleep(0.1)
        yield f"http://127.0.0.1:{port}"
    finally:
        process.send_signal(signal.SIGINT)
        process.wait(60)


def test_the_pages_one_after_the_other(serving: str, tmp_path: Path) -> None:
    reader = Reader(tmp_path / "home", elsewhere=ELSEWHERE, put_in={"http://127.0.0.1:8030": serving})
    # What the pages of accounts of one's own take for granted: a keystore, and a file with its password.
    keystore = Account.encrypt(account(ADA).key, "a password", kdf="pbkdf2", iterations=1000)
    (tmp_path / "home" / "ada.json").write_text(json.dumps(keystore))
    (tmp_path / "home" / "password").write_text("a password\n")
    # The one thing that differs from `make serve`: the port. A reader's profile `local` says 8030.
    done = reader.command(f".venv/bin/c2d profile set local --provider {serving}")
    assert done.returncode == 0, done.stdout
    for page in (*TUTORIAL, *WITH_C2D):
        assert reader.read(page) > 0, page

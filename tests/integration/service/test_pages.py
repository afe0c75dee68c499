"""People's ways through the pages, in a real browser, beside the whole service."""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest
from playwright.async_api import expect

from ocean.ddo import DDO
from provider_api.deploy.file_server import FileServer
from tests.support.browser import PHONE, AnotherSite, Browser, Person, Wallet
from tests.support.chain import consumer as consumer_account
from tests.support.chain import publisher as publisher_account
from tests.support.chain import stranger as stranger_account
from tests.support.nginx import PREFIX, Nginx
from tests.support.path_prefix import PathPrefix
from tests.support.service import FREE, Buyer, Service, raw_python
from tests.support.tokens import create

pytestmark = pytest.mark.integration
expect.set_options(timeout=90_000)

SLOW = """
import os, pathlib, time
print("counting the days of rain", flush=True)
for day in range(1, 400):
    print(f"day {day}: {day * 7 % 13} mm", flush=True)
    time.sleep(0.02)
pathlib.Path(os.environ["OUTPUTS"], "totals.csv").write_text("day,mm\\n1,3\\n")
"""
FAILS = "import sys; print('the column mm is missing'); sys.exit(3)"
SLEEPS = "import time; print('begun', flush=True); time.sleep(600)"
EVIL = "<img src=x onerror=alert(1)>"
HOSTILE = f"""
import os, pathlib
print({EVIL!r}); print("<script>alert(2)</script>")
pathlib.Path(os.environ["OUTPUTS"], {EVIL!r}).write_text("x")
pathlib.Path(os.environ["OUTPUTS"], '"><svg onload=alert(3)>.csv').write_text("x")
"""


@pytest.fixture
async def browser() -> AsyncIterator[Browser]:
    async with Browser.open() as opened:
        yield opened


@pytest.fixture
async def consumer(browser: Browser) -> Person:
    return await browser.person(Wallet(consumer_account))


async def started(buyer: Buyer, datasets: list[DDO], code: str) -> str:
    ordered, algorithm = await buyer.order(datasets, raw_python(code))
    job = await buyer.consumer.start(await buyer.consumer.start_request(FREE, ordered, algorithm))
    return str(job["jobId"])


async def pictures(browser: Browser, person: Person, name: str) -> None:
    """The page in light, dark, and on a phone."""
    await person.picture(f"{name}-light")
    await person.page.emulate_media(color_scheme="dark")
    await person.picture(f"{name}-dark")
    assert await person.violations() == [], "in dark colours"
    await person.page.emulate_media(color_scheme="light")
    await person.page.set_viewport_size(PHONE)  # type: ignore[arg-type]
    await person.picture(f"{name}-phone")
    width = await person.page.evaluate("document.documentElement.scrollWidth")
    assert width <= PHONE["width"], "nothing is wider than a phone"
    assert await person.violations() == [], "on a phone"
    await person.page.set_viewport_size({"width": 1280, "height": 900})


async def test_home(service: Service, browser: Browser) -> None:
    person = await browser.person()
    await person.page.goto(service.url + "/")
    await expect(person.page.get_by_role("heading", level=1)).to_have_text("Run algorithms next to private data")
    await expect(person.page.get_by_role("heading", name=FREE, exact=True)).to_be_visible()
    assert await person.violations() == []
    await pictures(browser, person, "home")
    assert person.troubles == []
    assert all(url.startswith(service.url) or url.startswith("data:") for url in person.requests), person.requests


async def test_a_job_from_start_to_results(
    service: Service, browser: Browser, consumer: Person, buyer: Buyer, open_dataset: DDO
) -> None:
    await consumer.page.goto(service.url + "/jobs/")
    await consumer.page.get_by_role("button", name="Sign in with Test Wallet").wait_for()
    assert await consumer.violations() == []
    await pictures(browser, consumer, "sign-in")
    await consumer.sign_in(service.url)
    job = await started(buyer, [open_dataset], SLOW)
    await consumer.page.reload()
    await consumer.page.get_by_role("link", name=job[:12]).click()
    await expect(consumer.page.locator(".log")).to_contain_text("day 20:")
    assert await consumer.violations() == []
    await pictures(browser, consumer, "running")
    await expect(consumer.page.locator(".state")).to_have_text("Finished")
    await expect(consumer.page.get_by_role("link", name="totals.csv")).to_be_visible()
    await expect(consumer.page.get_by_text("Exit code 0")).to_be_visible()
    assert await consumer.violations() == []
    await pictures(browser, consumer, "finished")
    async with consumer.page.expect_download() as coming:
        await consumer.page.get_by_role("link", name="totals.csv").click()
    content = await (await coming.value).path()
    assert content.read_text() == "day,mm\n1,3\n"
    assert consumer.troubles == []
    assert all(url.startswith((service.url, "data:", "blob:")) for url in consumer.requests)


async def test_how_a_failure_looks(
    service: Service, browser: Browser, consumer: Person, buyer: Buyer, open_dataset: DDO
) -> None:
    job = await started(buyer, [open_dataset], FAILS)
    await buyer.finished(job)
    await consumer.sign_in(service.url, f"jobs/{job}")
    await expect(consumer.page.locator(".state")).to_have_text("Algorithm failed")
    await expect(consumer.page.get_by_text("Exit code 3")).to_be_visible()
    await expect(consumer.page.locator(".log")).to_contain_text("the column mm is missing")
    await pictures(browser, consumer, "failed")
    await consumer.page.goto(service.url + "/jobs/")
    await pictures(browser, consumer, "jobs")
    assert consumer.troubles == []


async def test_what_waits_is_released_in_another_browser(
    service: Service, browser: Browser, consumer: Person, buyer: Buyer, files: FileServer
) -> None:
    dataset = await buyer.publish(
        files.urls["rain.csv"], compute={"allowRawAlgorithm": True}, release={"approval": "owner"}
    )
    job = await started(buyer, [dataset], SLOW)
    await consumer.sign_in(service.url, f"jobs/{job}")
    await expect(consumer.page.locator(".state")).to_have_text("Waiting for the data's owners")
    await pictures(browser, consumer, "held")
    wallet = Wallet(publisher_account)
    owner = await browser.person(wallet)
    await owner.sign_in(service.url, "data/")
    assert await owner.violations() == []
    await pictures(browser, owner, "data")
    await owner.page.get_by_role("link", name=job[:12]).click()
    await owner.page.get_by_label("Release the results").check()
    assert await owner.violations() == []
    await pictures(browser, owner, "decision")
    wallet.refuses = True
    await owner.page.get_by_role("button", name="Sign with Test Wallet").click()
    await expect(owner.page.get_by_role("alert")).to_have_text("The wallet was told not to sign. Nothing was done.")
    wallet.refuses = False
    await owner.page.get_by_role("button", name="Sign with Test Wallet").click()
    await expect(owner.page.locator(".summary .state")).to_have_text("Released")
    assert wallet.asked[-1].startswith("DSSEv1 28 application/vnd.in-toto+json ")
    assert f'"c2d_job":"{job}"' in wallet.asked[-1]
    await expect(consumer.page.locator(".state")).to_have_text("Finished")
    await expect(consumer.page.get_by_role("link", name="totals.csv")).to_be_visible()
    assert owner.troubles == consumer.troubles == []


async def test_stop_and_delete(service: Service, consumer: Person, buyer: Buyer, open_dataset: DDO) -> None:
    job = await started(buyer, [open_dataset], SLEEPS)
    await consumer.sign_in(service.url, f"jobs/{job}")
    await expect(consumer.page.locator(".log")).to_contain_text("begun")
    await consumer.page.get_by_role("button", name="Stop the job").click()
    await expect(consumer.page.locator(".state")).to_have_text("Stopped")
    await consumer.page.get_by_text("Delete the job").click()
    await consumer.page.get_by_role("button", name="Delete for good").click()
    await consumer.page.wait_for_url(re.compile("/jobs/$"))
    assert (await consumer.page.goto(f"{service.url}/jobs/{job}")).status == 404  # type: ignore[union-attr]
    await consumer.page.goto(service.url + "/jobs/")
    await consumer.page.get_by_role("button", name="Sign out").click()
    await expect(consumer.page.get_by_role("button", name="Sign out")).to_have_count(0)
    assert consumer.troubles == []


async def test_strangers_text_is_only_text(
    service: Service, browser: Browser, consumer: Person, buyer: Buyer, open_dataset: DDO
) -> None:
    job = await started(buyer, [open_dataset], HOSTILE)
    await consumer.sign_in(service.url, f"jobs/{job}")
    await expect(consumer.page.locator(".state")).to_have_text("Finished")
    await expect(consumer.page.get_by_role("link", name=EVIL)).to_be_visible()
    await expect(consumer.page.locator(".log")).to_contain_text("<script>alert(2)</script>")
    await consumer.page.goto(f"{service.url}/jobs/{job}?{EVIL}")
    assert await consumer.page.locator("img[src=x], svg[onload]").count() == 0
    evil = await browser.person(Wallet(stranger_account, name=EVIL))
    await evil.page.goto(service.url + "/jobs/")
    await expect(evil.page.get_by_role("button", name=EVIL)).to_be_visible()
    assert consumer.troubles == evil.troubles == []
    await evil.page.get_by_role("button", name=EVIL).click()
    await evil.page.get_by_role("button", name="Sign out").wait_for()
    answer = await evil.page.goto(f"{service.url}/jobs/{job}")
    assert answer is not None
    assert answer.status == 404, "of another account"


@pytest.fixture
async def running(buyer: Buyer, open_dataset: DDO) -> AsyncIterator[str]:
    """A job that says a word and sleeps."""
    job = await started(buyer, [open_dataset], SLEEPS)
    yield job
    await buyer.consumer.stop(job)


async def test_behind_nginx_and_when_it_dies(
    service: Service, consumer: Person, buyer: Buyer, running: str, tmp_path: Path
) -> None:
    """Below a path, where nginx buffers by itself, pages are live; a lost connection is told and made again."""
    with Nginx(service.url, tmp_path / "nginx") as proxy:
        await consumer.sign_in(proxy.url, f"jobs/{running}")
        (cookie,) = await consumer.context.cookies()
        assert cookie["name"] == "c2d_session"
        assert (cookie["path"], cookie["httpOnly"], cookie["sameSite"]) == (PREFIX, True, "Strict")
        said = consumer.page.locator("[data-live-word]")
        await expect(said).to_have_text("Live")
        await expect(consumer.page.locator(".log")).to_contain_text("begun")
        proxy.stop()
        await expect(said).to_have_text("The service does not answer. This page keeps trying.")
        proxy.start()
        await expect(said).to_have_text("Live")
        await consumer.page.get_by_role("button", name="Stop the job").click()
        await expect(consumer.page.locator(".state")).to_have_text("Stopped")
        await expect(said).to_be_hidden()
        await consumer.page.get_by_role("link", name="All jobs").click()
        await consumer.page.wait_for_url(f"{proxy.url}/jobs/")
        await consumer.page.get_by_role("link", name="Compute-to-Data").click()
        await expect(consumer.page.get_by_role("heading", level=1)).to_have_text("Run algorithms next to private data")
    assert consumer.troubles == []


async def test_a_proxy_that_keeps_everything(service: Service, consumer: Person, buyer: Buyer, running: str) -> None:
    """It hands on only what has ended, so nothing of the stream arrives; the page says that it asks by itself, and
    keeps up."""
    with PathPrefix(service.url) as proxy:
        await consumer.sign_in(proxy.url, f"jobs/{running}")
        said = consumer.page.locator("[data-live-word]")
        await expect(said).to_have_text("No live connection. This page asks every few seconds.")
        await expect(consumer.page.locator(".log")).to_contain_text("begun")
        await buyer.consumer.stop(running)
        await expect(consumer.page.locator(".state")).to_have_text("Stopped")
    assert consumer.troubles == []


async def test_a_link_from_elsewhere(service: Service, browser: Browser, consumer: Person, running: str) -> None:
    """Browsers leave the cookie out of a request that another site makes; the person notices nothing of that."""
    await consumer.sign_in(service.url)
    with AnotherSite(f'<a href="{service.url}/jobs/{running}">a job</a>') as url:
        await consumer.page.goto(url)
        await consumer.page.get_by_role("link", name="a job").click()
        await expect(consumer.page.locator(".state")).to_have_text("Running")
    with AnotherSite(
        f'<form method="post" action="{service.url}/jobs/{running}/stop"><button>x</button></form>'
    ) as url:
        await consumer.page.goto(url)
        await consumer.page.get_by_role("button", name="x").click()
        await expect(consumer.page.get_by_role("alert")).to_contain_text("asked for by another site")
    await consumer.page.goto(f"{service.url}/jobs/{running}")
    await expect(consumer.page.locator(".state")).to_have_text("Running")


async def test_by_keyboard_alone(service: Service, consumer: Person, running: str) -> None:
    await consumer.page.goto(f"{service.url}/jobs/{running}")
    press = consumer.page.keyboard.press
    await consumer.page.get_by_role("button", name="Sign in with Test Wallet").wait_for()
    await press("Tab")
    assert await consumer.page.evaluate("document.activeElement.className") == "skip"
    await press("Enter")
    await press("Tab")
    assert await consumer.page.evaluate("document.activeElement.textContent") == "Sign in with Test Wallet"
    await press("Enter")
    stop = consumer.page.get_by_role("button", name="Stop the job")
    await stop.wait_for()
    await expect(consumer.page.locator(".log")).to_contain_text("begun")
    await stop.focus()
    await press("Tab")
    await press("Enter")
    await expect(consumer.page.get_by_role("button", name="Delete for good")).to_be_visible()
    await press("Shift+Tab")
    await press("Enter")
    await expect(consumer.page.locator(".state")).to_have_text("Stopped")
    assert consumer.troubles == []


async def test_without_script(service: Service, browser: Browser, buyer: Buyer, open_dataset: DDO) -> None:
    """A token of the command line does for everything but an owner's signature."""
    job = await started(buyer, [open_dataset], SLEEPS)
    person = await browser.person(java_script_enabled=False)
    await person.page.goto(f"{service.url}/jobs/{job}")
    await expect(person.page.get_by_text("none runs in this browser")).to_be_visible()
    async with httpx.AsyncClient(base_url=service.url) as http:
        made = await create(http, "0x" + bytes(consumer_account.key).hex(), time.time_ns())
    await person.page.get_by_label("Token").fill(made.json()["token"])
    await person.page.get_by_role("button", name="Sign in", exact=True).click()
    await expect(person.page.locator(".state")).to_have_text("Running")
    assert "refresh" in await person.page.content()
    await person.page.get_by_role("button", name="Stop the job").click()
    async with asyncio.timeout(90):
        while await person.page.locator(".state").inner_text() != "Stopped":
            await person.page.reload()
            await asyncio.sleep(0.5)

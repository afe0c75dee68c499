"""`c2d demo`: a publisher, a consumer and the service between them, on this machine, with real contracts."""

from __future__ import annotations

import asyncio
import json
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from rich.console import Console
from rich.panel import Panel

from client.verify import Trust, verify_files
from ocean.chain.development import CONSUMER, PUBLISHER, account
from ocean.chain.network import Network
from ocean.chain.publishing import Encryption, mint, publish_asset
from ocean.client import Consumer, ConsumerError
from ocean.purchase import Wish, order_all
from provider_api.cli.demo import assets
from provider_api.cli.demo.story import Story
from provider_api.deploy.file_server import FileServer
from provider_api.deploy.machine import Machine

ENVIRONMENT: Final = "ocean-compute-paid"
PAID_MINUTES: Final = 10
LONGEST_JOB_SECONDS: Final = 120
POLL_SECONDS: Final = 0.05
_SHOWN_LINES: Final = 15  # of each log of a job that failed


class DemoFailed(RuntimeError):
    """The job did not end as it should."""


async def run_demo(folder: Path, console: Console) -> None:
    """The whole story. Raises DemoFailed, ExampleMissing, ChildFailed, AnvilMissing."""
    story = Story(console)
    files = assets.example_files()
    story.title("A service between data and algorithm")
    with FileServer(files) as owner:
        machine = Machine(
            folder, allow_private=(f"{owner.address}@{account(PUBLISHER).address}",), own_algorithms_only=True
        )
        with story.doing("development chain, embedded Argo server, Provider API") as outcome:
            await machine.start()
            outcome.append(machine.url)
        try:
            for remark in machine.remarks:
                console.print(f"  [yellow]![/yellow] {remark}", soft_wrap=True)
            network = await Network.open(machine.chain_url, machine.address_file)
            try:
                await _act(story, machine, network, owner.urls, files)
            finally:
                await network.close()
        finally:
            await machine.stop()


async def _act(story: Story, machine: Machine, network: Network, urls: dict[str, str], files: dict[str, Path]) -> None:
    async with Consumer(machine.url, account(CONSUMER)) as consumer:
        wishes = await _publish(story, machine, network, consumer, urls, files)
        request = await _order(story, network, consumer, wishes)
        job = await _watch(story, consumer, request, machine)
        folder = machine.folder.root / "downloads" / job["jobId"]
        await _fetch(story, consumer, job, folder)
        await _verify(story, consumer, folder)
    _look_next(story)


async def _publish(
    story: Story, machine: Machine, network: Network, consumer: Consumer, urls: dict[str, str], files: dict[str, Path]
) -> list[Wish]:
    """Datasets first, the algorithm last. The file addresses leave the publisher encrypted for the provider."""
    story.title("A publisher")
    publisher = account(PUBLISHER)

    async def encrypt(plain: bytes) -> bytes:
        return await consumer.encrypt(plain, network.chain_id)

    encryption: Encryption = encrypt
    published = []
    with story.doing("publishes an algorithm") as outcome:
        draft = assets.algorithm(urls[assets.ALGORITHM])
        algorithm = await publish_asset(network, publisher, draft, provider_url=machine.url, encrypt=encryption)
        outcome.append(_short(algorithm.id))
    source = files[assets.ALGORITHM].read_bytes()
    for name, title, description in (
        (assets.DEPARTURES, "Departures from JFK in 2013", "111,279 flights: hour, carrier, delay in minutes"),
        (assets.WEATHER, "Weather at JFK in 2013", "hourly reports: temperature, wind, visibility, pressure"),
    ):
        with story.doing(f"publishes “{title}” for it alone") as outcome:
            draft = assets.dataset(title, description, urls[name], algorithm, source)
            asset = await publish_asset(network, publisher, draft, provider_url=machine.url, encrypt=encryption)
            published.append(asset)
            outcome.append(_short(asset.id))
    with story.doing("hands the consumer one datatoken of each"):
        for asset in (*published, algorithm):
            await mint(network, publisher, asset.services[0].datatoken_address, consumer.address)
    return [Wish(asset, asset.services[0].id) for asset in (*published, algorithm)]


async def _order(story: Story, network: Network, consumer: Consumer, wishes: Sequence[Wish]) -> dict[str, Any]:
    """Ask what the job costs, buy it, and sign the start."""
    story.title("A consumer")
    environment = next(e for e in await consumer.environments(network.chain_id) if e["id"] == ENVIRONMENT)
    valid_until = int(time.time()) + 60 * PAID_MINUTES
    with story.doing(f"asks what {PAID_MINUTES} minutes in {ENVIRONMENT} cost") as outcome:
        references = [wish.reference() for wish in wishes]
        answer = await consumer.initialize_compute(references[:-1], references[-1], ENVIRONMENT, valid_until)
        answers = [*answer["datasets"], answer["algorithm"]]
        decimals = await network.token_decimals(environment["feeToken"])
        cost = sum(int(item["providerFee"]["providerFeeAmount"]) for item in answers) / 10**decimals
        outcome.append(f"{cost:.3f} OCEAN")
    with story.doing("orders both datasets and the algorithm on chain"):
        orders = await order_all(network, account(CONSUMER), environment["consumerAddress"], list(wishes), answers)
    return await consumer.start_request(ENVIRONMENT, orders[:-1], orders[-1])


async def _watch(story: Story, consumer: Consumer, request: dict[str, Any], machine: Machine) -> dict[str, Any]:
    with story.doing("signs and sends the start of a compute job") as outcome:
        job = await consumer.start(request)
        outcome.append(job["jobId"])
    story.title("The job")
    with story.job(sandboxed=machine.sandboxed) as view:
        async with asyncio.timeout(LONGEST_JOB_SECONDS):
            while True:
                (job,) = await consumer.status(job["jobId"])
                finished = job["dateFinished"] is not None
                view.update(job["status"], job["statusText"], finished=finished)
                if finished:
                    break
                await asyncio.sleep(POLL_SECONDS)
    story.console.print(f"    [dim]{view.seconds:.2f} s from accepted start to final status[/dim]", highlight=False)
    if job["status"] != 70:
        said = await _last_lines(consumer, job) or _pods_last_lines(machine.folder.argo / "pods", job["jobId"])
        raise DemoFailed(f"the job ended with status {job['status']} {job['statusText']} ({job.get('reason')}){said}")
    return job


async def _last_lines(consumer: Consumer, job: dict[str, Any]) -> str:
    """What the job itself says of its failure: the end of each of its logs that can be had."""
    said = f"\n  {job['detail']}" if job.get("detail") else ""
    with tempfile.TemporaryDirectory(prefix="c2d-demo-") as place:
        for index, result in enumerate(job.get("results") or []):
            if "log" not in str(result.get("type", "")).lower():
                continue
            file = Path(place) / str(index)
            try:
                await consumer.result(job["jobId"], index, file)
            except (ConsumerError, OSError) as trouble:
                said += f"\n  {result['filename']} cannot be fetched: {trouble}"
                continue
            said += _end_of(file, str(result["filename"]))
    return said


def _pods_last_lines(folder: Path, job_id: str) -> str:
    """The same of a job that published nothing, from the folders of its pods, which stay for a moment."""
    files = sorted(file for name in ("log", "watcher.err") for file in folder.glob(f"*{job_id}*/{name}"))
    return "".join(_end_of(file, file.parent.name) for file in files)


def _end_of(file: Path, name: str) -> str:
    try:
        lines = file.read_text(errors="replace").strip().splitlines()[-_SHOWN_LINES:]
    except OSError:
        return ""  # it was removed in this moment
    return f"\n  {name}:" + "".join(f"\n    {line[:300]}" for line in lines) if lines else ""


async def _fetch(story: Story, consumer: Consumer, job: dict[str, Any], folder: Path) -> None:
    story.title("The results")
    await asyncio.to_thread(folder.mkdir, parents=True, exist_ok=True)
    for index, result in enumerate(job["results"]):
        await consumer.result(job["jobId"], index, folder / result["filename"])
    story.results(job["results"])
    story.console.print(Panel((folder / "algorithm.log").read_text().rstrip(), title="algorithm.log", highlight=False))
    story.metrics(json.loads((folder / "metrics.json").read_text()))
    story.console.print(
        f"  all in [cyan]{_near(folder)}[/cyan], delays.svg is the picture", soft_wrap=True, highlight=False
    )


async def _verify(story: Story, consumer: Consumer, folder: Path) -> None:
    """What anybody can do who has the files and knows the provider's account."""
    story.title("The proof")
    signer = next(iter((await consumer.root())["providerAddresses"].values()))
    story.console.print(f"  [bold]c2d verify {_near(folder)} --signer {signer}[/bold]", soft_wrap=True, highlight=False)
    if await asyncio.to_thread(verify_files, [folder], None, Trust((signer,))) != 0:
        raise DemoFailed("the results are not those that their passport names")


def _look_next(story: Story) -> None:
    story.title("Where to look next")
    story.console.print(
        "  Now with your CSV and your script: [bold]make serve[/bold], and in a second terminal\n"
        "    [bold].venv/bin/c2d publish sales.csv[/bold]\n"
        "    [bold].venv/bin/c2d publish-algorithm totals.py[/bold]\n"
        "    [bold].venv/bin/c2d run sales.csv totals.py[/bold]\n"
        "  [bold]docs/tutorial.md[/bold] has both files and goes on from there; docs/concepts.md tells what happened\n"
        f"  [dim]all of it, without the installation, took {story.seconds:.1f} s[/dim]",
        soft_wrap=True,
        highlight=False,
    )


def _near(path: Path) -> Path:
    here = Path.cwd()
    return path.relative_to(here) if path.is_relative_to(here) else path


def _short(did: str) -> str:
    return did[:15] + "…"

"""What commands say no to, and with which exit code; nothing is bought then."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from client.profiles import Profiles
from ocean.chain.development import account
from provider_api.deploy.addresses import free_port
from tests.support.commands import ALICE, BOB, Commands
from tests.support.service import Service

pytestmark = pytest.mark.integration


async def _oceans(service: Service, number: int) -> int:
    network = await service.network()
    try:
        return await network.balance(network.ocean, account(number).address)
    finally:
        await network.close()


def oceans(service: Service, number: int = BOB) -> int:
    """Base units of the account's tokens."""
    return service.call(_oceans(service, number))


@pytest.fixture
def sold(c2d: Commands, numbers: Path) -> str:
    """Alice's numbers for 5 tokens."""
    return c2d("publish", str(numbers), "--price", "5", "--json").json["did"]


def test_prices_that_nobody_agreed_to(c2d: Commands, service: Service, sold: str, adds_up: Path) -> None:
    theirs = c2d("publish-algorithm", str(adds_up), "--profile", "bob").line
    assert "not_trusted_algo_publisher" in c2d("run", sold, theirs, "-p", "bob", code=3).err
    c2d("trust", sold, theirs)
    before = oceans(service)
    assert "more than --max-price 4.5" in c2d("run", sold, theirs, "-p", "bob", "--max-price", "4.5", code=3).err
    refused = c2d("run", sold, theirs, "-p", "bob", "--json", code=3).json
    assert "nobody can be asked" in refused["error"]
    assert refused["exit"] == 3
    assert list(c2d("why", sold, theirs, "-p", "bob", "--json").json["costs"].values()) == ["5.005"]
    assert oceans(service) == before
    c2d("run", sold, theirs, "-p", "bob", "--max-price", "5.005", "-o", "bobs")
    assert oceans(service) == before - 5005 * 10**15
    assert json.loads(Path("bobs/sum.json").read_text()) == 42


def test_trust_is_given_and_withdrawn(c2d: Commands, dataset: str, adds_up: Path) -> None:
    theirs = c2d("publish-algorithm", str(adds_up), "--profile", "bob").line
    reasons = c2d("why", dataset, theirs, "-p", "bob", "--json", code=3).json["reasons"]
    assert [reason["code"] for reason in reasons] == ["not_trusted_algo_publisher"]
    assert c2d("trust", dataset, theirs, "--json").json["trusted"]
    assert c2d("why", dataset, theirs, "-p", "bob", "--json").json["startable"]
    c2d("trust", dataset, theirs, "--withdraw")
    assert "not_trusted" in c2d("why", dataset, theirs, "-p", "bob", code=3).out
    assert "this account is" in c2d("trust", dataset, theirs, "-p", "bob", code=3).err


def test_assets_are_shown_and_changed(c2d: Commands, dataset: str) -> None:
    assert c2d("asset", "edit", dataset, "--description", "Numbers", "--json").json["changed"] == ["description"]
    shown = c2d("asset", "show", dataset, "--json").json
    assert (shown["price"], shown["document"]["metadata"]["description"]) == ("0", "Numbers")
    assert c2d("asset", "state", dataset, "revoked", "--json").json["state"] == "revoked"
    assert "is no state" in c2d("asset", "state", dataset, "gone", code=2).err
    c2d("asset", "edit", dataset, code=2)


def test_names_instead_of_dids(c2d: Commands, tmp_path: Path, algorithm: str) -> None:
    named = f"numbers-{tmp_path.name}"
    file = tmp_path / "a.txt"
    file.write_text("5\n")
    did = c2d("publish", str(file), "--name", named).line
    assert c2d("asset", "show", named, "--json").json["did"] == did
    c2d("publish", str(file), "--name", named)
    assert "2 assets are called" in c2d("asset", "show", named, code=3).err
    assert "no asset is called" in c2d("run", "nothing of this name", algorithm, code=3).err
    assert "no asset did:op:" in c2d("asset", "show", "did:op:" + "0" * 64, code=3).err


@pytest.mark.parametrize(
    "words", [("run", "one"), ("run",), ("watch", "../x"), ("publish", "absent.csv"), ("show",), ("why", "a")], ids=str
)
def test_usage(c2d: Commands, words: tuple[str, ...]) -> None:
    c2d(*words, code=2)


def test_nobody(c2d: Commands, service: Service, dataset: str, algorithm: str) -> None:
    Profiles().set("nobody", provider=service.url)
    for words in (("jobs",), ("run", dataset, algorithm), ("why", dataset, algorithm), ("publish", __file__)):
        assert "c2d login" in c2d(*words, "-p", "nobody", code=4).err
    c2d("whoami", "-p", "nobody", "--json", code=4)


def test_nobody_answers(c2d: Commands, service: Service, dataset: str, algorithm: str) -> None:
    silent = f"http://127.0.0.1:{free_port('127.0.0.1')}"
    Profiles().set("away", provider=silent, account=f"development:{ALICE}")
    for words in (("jobs",), ("envs",), ("whoami",), ("run", dataset, algorithm)):
        c2d(*words, "-p", "away", code=5)
    Profiles().set("no-chain", provider=service.url, chain=silent, account=f"development:{ALICE}")
    assert "the chain" in c2d("why", dataset, algorithm, "-p", "no-chain", code=5).err
    Profiles().set("no-store", provider=service.url, metadata=silent, account=f"development:{ALICE}")
    assert "metadata store" in c2d("why", dataset, algorithm, "-p", "no-store", code=5).err
    assert c2d("jobs", "-p", "away", "--json", code=5).json["exit"] == 5


@pytest.mark.parametrize("price", ["-1", "1e13", "0.0000000000000000001", "NaN", "Infinity", "five"])
def test_prices_that_are_none(c2d: Commands, numbers: Path, price: str) -> None:
    c2d("publish", str(numbers), "--price", price, code=2)
    c2d("publish", str(numbers), "--price", "1", "--token", "0x1", code=2)


def test_descriptions(c2d: Commands, tmp_path: Path, numbers: Path, algorithm: str) -> None:
    described = tmp_path / "rain.toml"
    described.write_text(
        'name = "Rain"\nlicense = "CC-BY-4.0"\ntags = ["rain"]\nprice = "none"\n'
        f'files = [{{ path = "{numbers.name}" }}]\n'
        "[release]\nmaxBytes = 1000000\n"
    )
    did = c2d("publish", str(described), "--author", "Ada").line
    shown = c2d("asset", "show", did, "--json").json
    assert shown["price"] == "not offered"
    assert [shown["document"]["metadata"][name] for name in ("name", "license", "author")] == [
        "Rain",
        "CC-BY-4.0",
        "Ada",
    ]
    assert "none is offered" in c2d("why", did, algorithm, code=3).err
    for text in ("name = ", "nam = 'x'", "files = []", "files = 7", "[release]\nmaxBytes = 'many'"):
        described.write_text(text)
        c2d("publish", str(described), code=2)


def test_several_datasets_and_parameters(c2d: Commands, numbers: Path, dataset: str, tmp_path: Path) -> None:
    tells = tmp_path / "tells.py"
    tells.write_text(
        "import json, os, pathlib\n"
        "found = [json.loads(p.read_text()) for p in pathlib.Path(os.environ['INPUTS']).rglob('algoCustomData.json')]\n"
        "pathlib.Path(os.environ['OUTPUTS'], 'told.json').write_text(json.dumps([found, os.environ['DIDS']]))\n"
    )
    algorithm = c2d("publish-algorithm", str(tells)).line
    second = c2d("publish", str(numbers), "--name", "second").line
    custom = tmp_path / "custom.json"
    custom.write_text('{"depth": 3, "name": "file"}')
    c2d("run", dataset, second, algorithm, "--param", "name=x=y", "--param", "rate=0.5", "--custom-data", str(custom))
    (folder,) = Path().glob("c2d-*")
    found, dids = json.loads((folder / "told.json").read_text())
    assert found == [{"depth": 3, "name": "x=y", "rate": 0.5}]
    assert [f"did:op:{each.removeprefix('did:op:')}" for each in json.loads(dids)] == [dataset, second]


def test_files_in_the_way(c2d: Commands, dataset: str, algorithm: str) -> None:
    job = c2d("run", dataset, algorithm, "-o", "first", "--json").json["job"]["jobId"]
    Path("first/sum.json").write_text("41")
    assert "another content" in c2d("results", job, "-o", "first", code=2).err
    assert Path("first/sum.json").read_text() == "41"
    passport = Path("first/passport.dsse.json").read_bytes()
    other = c2d("run", dataset, algorithm, "-o", "second", "--json").json["job"]["jobId"]
    assert "of another job" in c2d("results", other, "-o", "first", code=2).err
    assert Path("first/passport.dsse.json").read_bytes() == passport
    Path("third").write_text("a file")
    c2d("results", job, "-o", "third", code=2)
    assert not list(Path().rglob(".c2d-parts")) or Path("first/.c2d-parts").exists()

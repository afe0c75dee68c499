"""What an image's programs import is in the image: each of their modules, with no package but the locked ones.

A process of its own takes every other package of this checkout away. (The images themselves are built and tried by
tools/try-images, where buildah can run.)
"""

import json
import re
import subprocess
import sys

import pytest

from tests.support.clients import ROOT

pytestmark = pytest.mark.integration

_TRIAL = """
import importlib, importlib.abc, importlib.metadata, json, pkgutil, re, sys

def canonical(name):
    return re.sub(r"[-_.]+", "-", name).lower()

request = json.loads(sys.argv[1])
locked, own = set(request["locked"]), set(request["packages"])
owners = importlib.metadata.packages_distributions()

class Only(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        top = name.partition(".")[0]
        have = owners.get(top, ())
        if top in own or not have or any(canonical(owner) in locked for owner in have):
            return None
        raise ModuleNotFoundError(f"No module named {top!r}: the image does not have it", name=top)

sys.meta_path.insert(0, Only())
distribution = importlib.metadata.distribution

def of_the_image(name):
    if canonical(name) not in locked:
        raise ModuleNotFoundError(f"No distribution named {name!r}: the image does not have it", name=name)
    return distribution(name)

importlib.metadata.distribution = of_the_image
count = 0
for package in request["packages"]:
    for module in pkgutil.walk_packages(importlib.import_module(package).__path__, package + "."):
        if module.name.split(".")[0] in request["all_of"]:
            if not module.name.endswith("__main__") and ".migrations." not in module.name:
                importlib.import_module(module.name)
                count += 1
print(count)
"""


def imported(
    lock: str, packages: list[str], all_of: list[str], *, without: str = ""
) -> subprocess.CompletedProcess[str]:
    names = set(re.findall(r"^([a-z0-9][-._a-z0-9]*)==", (ROOT / lock).read_text(), re.MULTILINE)) - {without}
    request = {"locked": sorted(names), "packages": packages, "all_of": all_of}
    command = [sys.executable, "-c", _TRIAL, json.dumps(request)]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=240, check=False)


def test_the_steps_need_only_their_own_packages() -> None:
    done = imported("pods/requirements.lock", ["ocean", "contract", "results", "pods"], ["contract", "results", "pods"])
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) > 20


def test_the_service_needs_no_package_of_development() -> None:
    packages = ["ocean", "contract", "results", "pods", "workflow_templates", "argo", "provider_api"]
    done = imported("provider_api/requirements.lock", packages, packages)
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) > 200


def test_the_service_can_do_without_the_extra_of_the_doctor() -> None:
    packages = ["ocean", "contract", "results", "pods", "workflow_templates", "argo", "provider_api"]
    done = imported("provider_api/requirements.lock", packages, packages, without="kubernetes")
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    "name",
    [
        *("httpx", "httpcore", "obstore", "coincurve", "pynacl", "pydantic", "pycryptodome", "eth-typing"),
        *("aiohttp", "eciespy", "eth-abi", "eth-account", "hexbytes", "ocean-contracts", "web3"),
    ],
)
def test_a_missing_package_would_be_noticed(name: str) -> None:
    """Each line of pods/requirements.in is needed."""
    done = imported(
        "pods/requirements.lock",
        ["ocean", "contract", "results", "pods"],
        ["contract", "results", "pods"],
        without=name,
    )
    assert done.returncode == 1
    assert "the image does not have it" in done.stderr


def test_every_line_of_the_list_is_tried() -> None:
    text = (ROOT / "pods" / "requirements.in").read_text()
    listed = {line for line in text.splitlines() if line and not line.startswith("#")}
    marks = test_a_missing_package_would_be_noticed.pytestmark  # type: ignore[attr-defined]
    tried = next(mark.args[1] for mark in marks if mark.name == "parametrize")
    assert listed == set(tried)

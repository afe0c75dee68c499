"""Each page with commands or programs is run by a test, which is named here, or a reason says why not."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.support.how_to import DOCS, TUTORIAL, WITH_C2D, parts
from tests.support.reader import pattern, squeezed

pytestmark = pytest.mark.unit

ROOT = Path(__file__).parents[3]
RUN = ("sh", "python", "js")  # languages of what a reader runs
PAGES_OF_C2D = "integration/service/test_tutorial.py"
REST, CLIENTS, PASSPORT = (
    "integration/service/test_how_to_rest.py",
    "integration/service/clients/test_how_to.py",
    "integration/service/test_passport.py",
)
HELM, CLUSTER = "unit/helm/test_deploy_page.py", "integration/cluster/test_pages.py"
# Page: the test files that run its blocks.
RUN_BY = {
    **dict.fromkeys((*TUTORIAL, *WITH_C2D), (PAGES_OF_C2D,)),
    "how-to/publish.md": (REST,),
    "how-to/consume.md": (REST,),
    "how-to/watch-a-job.md": (REST,),
    "how-to/publish-results.md": (REST, "unit/provider_api/test_pods_publication.py"),
    "how-to/ocean-js.md": (CLIENTS, REST),
    "how-to/ocean-py.md": (CLIENTS,),
    "how-to/verify-results.md": (PASSPORT,),
    "how-to/results-in-ipfs.md": ("integration/pods/test_kubo_how_to.py",),
    "how-to/deploy-helm.md": (HELM, CLUSTER),
    "how-to/deploy-gitops.md": (CLUSTER,),
    "reference/passport.md": (PASSPORT, "integration/service/test_publish_results.py"),
    "reference/decisions.md": (PASSPORT,),
}
# Page: why no test runs its commands as they stand, and what is tried in their place.
NOT_RUN = {
    "index.md": "the three commands of the tutorial, which are run there",
    "how-to/why-not.md": "its request names made-up orders; integration/service/test_why_not.py asks such questions",
    "how-to/decide-what-leaves.md": "another service's address; integration/client/releases runs each command",
    "how-to/try.md": "the tutorial runs the command; integration/service/test_try.py tries its options",
    "how-to/doctor.md": "needs a cluster; `make e2e` and integration/cluster run the doctor there",
    "how-to/coming-from-pontus-x.md": "needs an account of Pontus-X",
    "operations/runbooks.md": "commands for a cluster in trouble; unit/operations compares their names",
    "operations/backup-and-upgrade.md": "needs a database in production; `make e2e` takes databases away",
    "reference/command-line.md": "examples made of the commands themselves; tests/unit/client compares it",
    "reference/images.md": "needs Docker; tools/try-images builds and tries the images",
}


def pages_with_blocks() -> list[str]:
    pages = sorted(str(path.relative_to(DOCS)) for path in DOCS.rglob("*.md"))
    return [page for page in pages if any(part.language in RUN for part in parts(page))]


def test_every_page_with_commands_has_its_test_or_a_reason() -> None:
    assert RUN_BY.keys().isdisjoint(NOT_RUN)
    assert sorted([*RUN_BY, *NOT_RUN]) == pages_with_blocks()


@pytest.mark.parametrize("page", RUN_BY)
def test_the_test_is_there_and_names_the_page(page: str) -> None:
    name = page.rpartition("/")[2]
    for path in RUN_BY[page]:
        text = (ROOT / "tests" / path).read_text()
        if path == PAGES_OF_C2D:
            assert "*TUTORIAL, *WITH_C2D" in text
        else:
            assert name in text, path


@pytest.mark.parametrize("page", pages_with_blocks())
def test_every_block_says_what_it_is(page: str) -> None:
    """A block without a language would be run by nobody and missed by no test."""
    fences = re.findall(r"^```.*$", (DOCS / page).read_text(), re.MULTILINE)
    assert [fence for fence in fences[::2] if fence == "```"] == []


@pytest.mark.parametrize(
    ("shown", "printed", "matches"),
    [
        ("did:op:…\n", "did:op:12ab\n", True),
        ("did:op:…\n", "did:op:12ab\nmore\n", False),
        ("a\n…\nb\n", "a\nb\n", True),
        ("a\n…\nb\n", "a\n1\n2\nb\n", True),
        ("a\n…\nb\n", "a\n1\nc\n", False),
        ("NAME  SIZE\nx  3 B\n", "NAME      SIZE   \n\nx         3 B    \n", True),
        ("costs 1.5 (each)\n", "costs 1x5 (each)\n", False),
    ],
)
def test_a_shown_output_is_compared(shown: str, printed: str, matches: bool) -> None:
    assert (pattern(shown).fullmatch(squeezed(printed)) is not None) is matches

"""Two lanes: `make test` for every change, `make soak` for what takes long; and what CI tries on a node of its own.

What is in `LONG` is marked `soak`: `make test` leaves it out. CI runs it too, with the smaller sizes; `make soak` with
the larger ones (C2D_SOAK=1). What is in `ON_A_NODE` is marked `node`.
"""

from __future__ import annotations

import os
import re
from typing import Final

SOAK: Final = os.environ.get("C2D_SOAK", "") == "1"

# Beginnings of test ids, as regular expressions, and why each of them is long.
LONG: Final = {
    r"integration/ocean/chain/test_habit_sequences\.py": "sequences of what chain nodes do",
    r"integration/ocean/chain/test_node_habits\.py": "each form of each habit of a chain node",
    r"e2e/": "what the service's tests try too, for `make e2e` to try on a cluster",
    r"integration/ocean/test_hosts\.py": "sequences of what hosts of files do",
    r"integration/images/test_packages\.py::test_a_missing": "each package is taken away",
    r"integration/cluster/": "a Kubernetes control plane",
    r"integration/client/test_light_install\.py": "an installation",
    r"integration/service/commands/test_interrupted\.py": "commands are killed, and race",
    r"integration/examples/": "statistics with a library that takes seconds to load",
    r"integration/service/test_live_jobs\.py": "parts are killed while jobs are looked at",
    r"integration/service/test_kill\.py": "parts are killed at every step of jobs",
    r"integration/service/test_kill_rounds\.py": "parts are killed under a stream of jobs",
    r"integration/service/test_pages\.py": "a real browser",
    r"integration/service/test_machine_ends\.py": "the machine ends in every way",
    r"integration/service/test_hostile\.py": "algorithms that flood, fork and do not end",
    r"integration/service/test_strangers\.py": "strangers who ask as much as they can",
    r"integration/service/test_schemathesis\.py": "generated requests to the whole service",
    r"integration/service/test_release_rounds\.py": "parts are killed while owners decide",
    r"integration/service/test_release_attacks\.py": "each way to hold what must not leave, by each door",
    r"integration/service/test_algorithm_habits\.py": "algorithms with every habit",
    r"integration/service/test_argo_away\.py": "Argo is killed around submissions, or away",
    r"integration/service/test_argo_servers\.py": "a machine and a second Argo Server",
    r"integration/service/test_delete\.py::test_while_argo_is_away": "Argo is away",
    r"integration/service/test_how_to_rest\.py::test_the_pages_one": "every page in order, as a reader goes",
    r"integration/service/test_tutorial\.py": "every page of the command line in order, as a reader goes",
    r"integration/service/test_metrics\.py": "a machine of its own for one setting",
    r"integration/service/test_tracing\.py": "a machine of its own for one setting",
    r"integration/service/test_status_calls\.py": "machines of their own for one setting",
    r"integration/service/clients/test_how_to\.py": "the pages of clients",
    r"integration/service/test_metadata_store\.py": "a machine and a metadata store",
    r"integration/service/test_other_provider\.py": "a machine and a second provider",
    r"integration/service/test_publish_results\.py::test_(a_publishing_pod_that_is_killed|one_machine_on)": "kills",
    r"integration/service/test_result_stores\.py": "a machine for each kind of store",
    r"integration/service/test_start_once\.py::test_killed": "the service is killed while a job starts",
    r"integration/service/test_try\.py::test_how_algorithms_end": "each way in which an algorithm ends",
    r"integration/service/test_try\.py::test_more_than": "gigabytes of holes",
    r"integration/service/test_try\.py::test_what_a_killed": "a kill",
    r"integration/service/test_try\.py::test_interrupted_at_any": "at each moment",
    r"integration/service/test_try\.py::test_what_(waits|a_filter)": "environments of one's own",
    r"integration/service/test_described_environments\.py": "a machine of its own for one setting",
    r"integration/service/test_many_jobs\.py": "many jobs at once",
    r"integration/service/test_download_large\.py": "gigabytes",
    r"integration/service/test_demo\.py::.*without bubblewrap": "the whole demo once more",
    r"integration/service/clients/test_ocean_js\.py::.*\[3\.[0123]\.": "older versions of a client",
    r"integration/service/clients/test_ocean_py\.py::test_behind_a_path": "a machine of its own for one setting",
    r"integration/argo/client/test_many\.py": "ten thousand workflows",
    r"integration/argo/local/test_crashes\.py": "the Argo server is killed at every step",
    r"integration/argo/local/pods/test_as_user\.py": "a copy of the project for another user",
    r"integration/pods/test_kubo\.py": "an IPFS node",
    r"integration/pods/test_sources\.py::test_many_pods_at_once": "many pods at once",
    r"integration/pods/test_publishing_assets\.py::test_(killed_anywhere|several_at_once)": "kills at every step",
    r"integration/provider_api/test_several_processes\.py": "thousands of racing requests",
    r"integration/provider_api/doctor/test_clusters\.py": "each fault of a cluster, looked at by a process",
    r"integration/provider_api/test_starts_under_trouble\.py": "hundreds of starts with neighbours in trouble",
    r"integration/provider_api/test_rolling_restart\.py": "a restart under load",
    r"unit/argo/local/test_unreadable\.py": "each field of each stored row, spoiled",
    r"unit/gitops/test_admission\.py::test_a_job_may_be_stopped": "each recorded state before the admission policy",
}
_LONG: Final = re.compile(f"tests/(?:{'|'.join(LONG)})")

# What CI tries on the node of `make cluster`: jobs, ways to end, isolation, rights, each component killed once. All is
# tried by `make e2e`: queues, time limits, full disks, every program killed, databases and a second Argo taken away,
# the recorded scenarios.
_OF_DEPLOYMENTS: Final = r"a_job|an_algorithm_(that|reaches)|stop|killed_in_the_middle\[parts[01]"
_OF_THE_NODE: Final = (
    r"a_program_of_the_node_is_killed\[(kubelet|containerd|kube-apiserver)|the_node|argo_server|an_|forged|what_|"
    r"how_an_algorithm_ends\[(an exit|too much memory)"
)
ON_A_NODE: Final = re.compile(
    rf"tests/e2e/(test_deployment\.py::test_({_OF_DEPLOYMENTS})|test_node\.py::test_({_OF_THE_NODE})|test_records\.py)"
)


def is_for_a_node(test_id: str) -> bool:
    return ON_A_NODE.match(test_id) is not None


def is_long(test_id: str) -> bool:
    return _LONG.match(test_id) is not None


def size(*, test: int, soak: int) -> int:
    """How many rounds, jobs or sequences a long test has: in CI, and in `make soak`."""
    return soak if SOAK else test

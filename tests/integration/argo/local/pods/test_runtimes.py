"""Language runtimes size themselves by what their environment may use, not by the machine."""

from __future__ import annotations

import re
import shutil

import pytest

from argo.local.pods.runtime import Limits
from tests.support.pods import Pods

pytestmark = pytest.mark.integration
GIB = 1 << 30


@pytest.mark.parametrize("memory", [GIB // 2, GIB])
async def test_a_jvm_takes_a_part_of_its_limit(pods: Pods, memory: int) -> None:
    if shutil.which("java") is None:
        pytest.skip("there is no Java on this machine")
    ran = await pods.run("java", "-XX:+PrintFlagsFinal", "-version", limits=Limits(memory_bytes=memory))
    found = re.search(r"\bMaxHeapSize\s*=\s*([0-9]+)", ran.log)
    assert found, ran.log
    assert int(found[1]) <= memory // 2


async def test_node_takes_a_part_of_its_limit(pods: Pods) -> None:
    if shutil.which("node", path="/usr/local/bin:/usr/bin:/bin") is None:
        pytest.skip("there is no Node on this machine")
    script = "console.log(require('v8').getHeapStatistics().heap_size_limit)"
    ran = await pods.run("node", "-e", script, limits=Limits(memory_bytes=GIB // 2))
    assert int(ran.log.split()[-1]) <= GIB // 2


async def test_go_programs_are_told(pods: Pods) -> None:
    ran = await pods.run("sh", "-c", "echo $GOMEMLIMIT", limits=Limits(memory_bytes=1000 << 20))
    assert ran.log == f"{900 << 20}\n"


async def test_what_the_algorithm_is_given_comes_first(pods: Pods) -> None:
    env = {"GOMEMLIMIT": "1", "JAVA_TOOL_OPTIONS": "-Xmx7m"}
    ran = await pods.run("sh", "-c", "echo $GOMEMLIMIT $JAVA_TOOL_OPTIONS", env=env)
    assert ran.log == "1 -Xmx7m\n"

"""A job's step programs run directly, as plain processes in a folder: what a job costs without a service around it."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from nacl.public import PrivateKey

from contract.job_spec import Algorithm, Binding, InputAsset, JobSpec, seal
from contract.keys import generate_keys, read_private_keys

ROOT: Final = Path(__file__).resolve().parents[1]
DID: Final = "did:op:" + "01" * 32
BINDING: Final = Binding(job_id="00" + "a1" * 15, environment="bench", image="python:3", seconds=600, network="none")
# The step, and then the most memory its process ever had: what wait() tells would include the process that forked it.
_WITH_PEAK: Final = """
import os, sys
sys.modules.setdefault("httpx._main", None)
from pods.configuration.program import run
code = run(os.environ)
print([line for line in open("/proc/self/status") if line.startswith("VmHWM")][0].split()[1], file=sys.stderr)
sys.exit(int(code))
"""


_WITHOUT_DIGESTS: Final = """
import os, sys
sys.modules.setdefault("httpx._main", None)
from pods.configuration import download
download._update = lambda digest, chunks: None
from pods.configuration.program import run
sys.exit(int(run(os.environ)))
"""


class StepFailed(RuntimeError):
    """A step did not end well, so its time says nothing."""


class Steps:
    """A volume, keys and a sealed job spec; `urls` are the dataset's files, all on `address`."""

    def __init__(self, folder: Path, address: str, urls: Sequence[str], algorithm: Algorithm) -> None:
        self.data, self._folder = folder / "data", folder
        self.data.mkdir(parents=True)
        service_key = PrivateKey.generate()
        generate_keys(folder / "keys", service_key.public_key)
        files = tuple({"type": "url", "url": url, "method": "GET"} for url in urls)
        spec = JobSpec(
            binding=BINDING,
            owner="0x" + "11" * 20,
            secret="5e" * 16,
            run_seconds=500,
            inputs=(InputAsset(did=DID, service_id="s1", files=files, ddo={"id": DID}),),
            algorithm=algorithm,
            allow_private=(address,),
            max_input_bytes=1 << 40,
        )
        environment_key = read_private_keys(folder / "keys" / "environment.key")[0]
        (folder / "job-spec").write_text(seal(spec, service_key, environment_key.public_key))
        (folder / "store").mkdir()
        (folder / "store" / "store.json").write_text('{"url": "%s"}' % (folder / "results").as_uri())  # noqa: UP031
        (folder / "results").mkdir()

    def configuration(self, *, digests: bool = True) -> None:
        """`digests` False: as if nobody wanted to know what the inputs were."""
        self._run([sys.executable, *(("-m", "pods.configuration") if digests else ("-c", _WITHOUT_DIGESTS))])

    def configuration_peak_bytes(self) -> int:
        """Run it; the most memory that its process had resident."""
        return 1024 * int(self._run([sys.executable, "-c", _WITH_PEAK]))

    def algorithm(self) -> None:
        self._run(["sh", str(self.data / "start" / "run.sh")])

    def publishing(self) -> None:
        self._run([sys.executable, "-m", "pods.publishing"])

    def _run(self, command: Sequence[str]) -> str:
        done = subprocess.run(
            command,
            env=self._environ(),
            cwd=self._folder,
            capture_output=True,
            text=True,
            check=False,
            start_new_session=True,
        )
        if done.returncode != 0:
            raise StepFailed(f"{command[-1]} ended with {done.returncode}: {done.stdout[-500:]} {done.stderr[-500:]}")
        return done.stderr

    def _environ(self) -> Mapping[str, Any]:
        return {
            "C2D_JOB_ID": BINDING.job_id,
            "C2D_ENVIRONMENT": BINDING.environment,
            "C2D_DATA": str(self.data),
            "C2D_JOB_SPEC": str(self._folder / "job-spec"),
            "C2D_KEYS": str(self._folder / "keys"),
            "C2D_IMAGE": BINDING.image,
            "C2D_SECONDS": str(BINDING.seconds),
            "C2D_NETWORK": BINDING.network,
            "C2D_STORE": str(self._folder / "store"),
            "C2D_RESULTS": str(self._folder / "results.json"),
            "PYTHONPATH": str(ROOT),
            "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
            "HOME": str(self._folder),
        }

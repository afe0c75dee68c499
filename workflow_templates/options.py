"""The options of an environment. Each is declared here with all that is made of it: see `declaring.py`."""

from __future__ import annotations

from typing import Annotated, Final, Literal

from pydantic import Field

from contract.release import NO_RULES, ReleaseRules
from ocean.kit.kubernetes_names import LABEL
from workflow_templates.declaring import Announced, Option
from workflow_templates.parts import (
    KEEP_SECONDS,
    Filter,
    LabelKey,
    LabelValue,
    Name,
    Publication,
    Quantity,
    Seconds,
    StepPods,
    Toleration,
    Value,
)

_ADDRESS: Final = r"^0x[0-9a-fA-F]{40}$"
_DECIMAL: Final = r"^(0|[1-9][0-9]{0,17})(\.[0-9]{1,18})?$"


class Options(Value):
    """What an operator says of one environment."""

    id: Annotated[  # the template's name, a label value and a ConfigMap key
        str,
        Field(pattern=f"^{LABEL}$"),
        Option("Kubernetes name, at most 63 characters", "what a consumer asks for; the template's name"),
    ]
    description: Annotated[str, Field(max_length=500), Option("one line", "for consumers", Announced("text", "desc"))]

    # what a job gets
    cpu_number: Annotated[
        int,
        Field(ge=1, le=1024),
        Option("whole number", "processors of the algorithm's pod", Announced("number", "cpuNumber", absent=1)),
    ]
    cpu_type: Annotated[str, Field(max_length=100), Option("text", "their kind", Announced("text", "cpuType"))] = ""
    gpu_number: Annotated[
        int,
        Field(ge=0, le=64),
        Option("whole number", "GPUs of the algorithm's pod", Announced("number", "gpuNumber", absent=0)),
    ] = 0
    gpu_type: Annotated[
        str,
        Field(max_length=100),
        Option("text", "their kind; `gpu_number` and `gpu_type` go together", Announced("text", "gpuType")),
    ] = ""
    gpu_resource: Annotated[
        str,
        Field(pattern=r"^[a-z0-9.-]+/[a-z0-9.-]+$"),
        Option("Kubernetes resource name", "what the pod asks the cluster for"),
    ] = "nvidia.com/gpu"
    ram_gb: Annotated[
        int,
        Field(ge=1, le=65_536),
        Option(
            "2^30 bytes",
            "memory of the algorithm's pod; requested and limited alike",
            Announced("number", "ramGB", absent=1),
        ),
    ]
    disk_gb: Annotated[
        int,
        Field(ge=1, le=65_536),
        Option("2^30 bytes", "the job's volume: inputs and outputs together", Announced("number", "diskGB", absent=1)),
    ]
    tmp: Annotated[Quantity, Option("quantity (`512Mi`, `2Gi`)", "the algorithm's `/tmp`")] = "1Gi"
    ephemeral_storage: Annotated[
        Quantity,
        Option(
            "quantity",
            "what the algorithm's pod may take of its node's disk beside the job's volume, `/tmp` and `scratch_root`:"
            " its log as the node keeps it, and Argo's own files, a program of 110 MiB among them. The pod's limit of"
            " `ephemeral-storage` is all three together; a pod that takes more is ended, with `out_of_disk`",
        ),
    ] = "256Mi"

    # decimal text, because binary fractions are no money
    price_per_minute: Annotated[
        str,
        Field(pattern=_DECIMAL),
        Option(
            "whole fee tokens, decimal text",
            '`"0"`: free',
            Announced("number", "priceMin", "Price of a minute, in whole fee tokens; 0 is free.", absent=0),
        ),
    ]
    max_job_duration: Annotated[
        Seconds,
        Option(
            "seconds",
            "the longest run of an algorithm",
            Announced("whole", "maxJobDuration", "Seconds.", absent=3600),
        ),
    ]
    max_jobs: Annotated[
        int,
        Field(ge=1, le=10_000),
        Option(
            "number",
            "that run at once; further ones wait",
            Announced("whole", "maxJobs", "Jobs that run at the same time; further ones wait.", absent=1),
        ),
    ]
    max_queued_jobs: Annotated[
        int, Field(ge=0, le=100_000), Option("number", "that may wait", Announced("whole", absent=100))
    ]
    max_jobs_per_account: Annotated[
        int | None,
        Field(ge=1, le=110_000),
        Option(
            "number",
            "unfinished jobs of one account, running and waiting"
            " ([why not turns](../decisions/0028-a-limit-of-jobs-per-account.md))",
            Announced(
                "whole",
                "maxJobsPerAccount",
                "Unfinished jobs that one account may have here.",
                source="jobs_per_account",
            ),
            default="a quarter of the places",
        ),
    ] = None
    position: Annotated[
        int,
        Field(ge=0, le=10_000),
        Option(
            "number, 0 to 10000",
            "the place in `computeEnvironments`: smaller ones first, of equal ones the free ones, then by `id`. Some"
            " clients take the first without asking, so let that be a free one",
            Announced("whole", absent=10_000),
        ),
    ] = 100
    allowed_chains: Annotated[
        tuple[int, ...],
        Option("list of chain ids", "empty: every chain", Announced("chains", "allowedChainId")),
    ] = ()

    # how long things last
    storage_expiry: Annotated[
        int,
        Field(ge=0, le=KEEP_SECONDS),
        Option(
            "seconds",
            "how long results are kept; 0: for ever",
            Announced("whole", "storageExpiry", "Seconds for which results are kept.", absent=0),
        ),
    ]
    pending_timeout: Annotated[
        Seconds,
        Option(
            "seconds",
            "a pod that has not started by then never will (image missing, no room): status 41, `image_unavailable`."
            " Added to the deadline of the algorithm's pod, so it always comes first while there is paid time",
            Announced("whole", absent=0),
        ),
    ] = 300

    max_results_gb: Annotated[
        int | None,
        Field(ge=1, le=65_536),
        Option(
            "2^30 bytes",
            "the most that is published of one job, holes of sparse files counted in full. What does not fit is named"
            " in the manifest as `too_large`",
            Announced("number", "maxResultsGB", "The most that is published of one job.", source="most_results_gb"),
            default="`disk_gb`",
        ),
    ] = None
    results_reserve_gb: Annotated[
        int,
        Field(ge=0, le=65_536),
        Option(
            "2^30 bytes",
            "on a shared volume: what publishing leaves free for all jobs' logs. A file that would use it is"
            " `store_full`, and its job ends with 62",
        ),
    ] = 1
    scratch_root: Annotated[
        Quantity | None,
        Option(
            "quantity (`2Gi`)",
            "an algorithm may write anywhere in its image's files, so much (part of the pod's `ephemeral-storage`)."
            " For images that write beside themselves or into their working folder. The pod's user stays the same,"
            " so in a cluster it writes where the image lets it; on one machine it writes anywhere in an unpacked"
            " image, in memory ([decision 38](../decisions/0038-a-writable-root-is-an-overlay-in-memory.md): what"
            " that needs), and may add to the programs of the machine but not change them",
            Announced(
                "text",
                "scratchRoot",
                "How much an algorithm may write in its image's files, beside its folders and `/tmp`.",
            ),
            default="none",
        ),
    ] = None
    image_user: Annotated[
        bool,
        Option(
            "`true` or `false`",
            "an algorithm runs as the user that its image names, in place of user 1000: for images whose files belong"
            " to a user of their own. In a cluster only. The image has to name it by its number, and not 0: the pod of"
            " any other never starts, and the job ends with `image_unavailable`",
            Announced(
                "flag",
                "imageUser",
                "Algorithms run as the user that their image names by its number, not as user 1000.",
            ),
        ),
    ] = False
    results: Annotated[
        Literal["shared-volume", "object-store"],
        Option("`shared-volume` or `object-store`", "where publishing writes"),
    ] = "shared-volume"
    storage_class: Annotated[
        Name | None,
        Option("name", "of the job's volume; should wait for its first consumer", default="the cluster's default"),
    ] = None

    # where it runs; in a cluster only: the single-machine server refuses an environment with one of these, by name
    runtime_class: Annotated[
        Name | None,
        Option(
            "name of a RuntimeClass",
            "what the algorithm's pod runs in, and no other pod: a sandbox as gVisor or Kata, so that the consumer's"
            " program does not meet the node's own kernel. Where the class has nodes of its own, name them in"
            " `node_selector` too",
            Announced(
                "text",
                "isolation",
                "What the algorithm's pod is isolated by beside containers, by the operator's name for it.",
            ),
            default="the cluster's default",
        ),
    ] = None
    node_selector: Annotated[
        dict[LabelKey, LabelValue],
        Option(
            "table, label = value",
            "nodes with all these labels. For all pods of a job, as the next three are: they share one volume, and a"
            " volume may belong to one node, or to one zone",
            default="any node",
        ),
    ] = Field(default_factory=dict)
    tolerations: Annotated[
        tuple[Toleration, ...],
        Option("list of tables", "taints of nodes on which all pods of a job may run all the same"),
    ] = ()
    priority_class: Annotated[
        Name | None,
        Option(
            "name of a PriorityClass",
            "of all pods of a job. An algorithm that has to make room for a higher one is not run again",
            default="the cluster's default",
        ),
    ] = None
    image_pull_secrets: Annotated[
        tuple[Name, ...],
        Option(
            "list of names",
            "Secrets in the namespace of jobs with which nodes pull images, of all pods of a job: a consumer may name"
            " any image that they open",
        ),
    ] = ()
    queue: Annotated[
        str | None,
        Field(pattern=f"^{LABEL}$"),
        Option(
            "name of a LocalQueue",
            "of [Kueue](https://kueue.sigs.k8s.io), in the namespace of jobs, where the algorithm's pod waits for its"
            " turn. That is time before its start: `pending_timeout` has to allow it",
            default="none",
        ),
    ] = None
    steps: StepPods = StepPods()
    filter: Annotated[
        Filter | None,
        Option(
            "table",
            "the operator's program that judges results",
            Announced("flag", "filtered", "A program of the operator's judges results first.", name="filtered"),
            default="results are published as they are",
        ),
    ] = None

    release: Annotated[
        ReleaseRules,
        Option(
            "table",
            "what may leave of every job here, whatever its datasets say; see below",
            Announced("rules", "release", "What may leave of a job, whatever its datasets say."),
            default="no rules",
        ),
    ] = NO_RULES

    # belong to keys that a deployment makes, so normally set there (overlay, or the service on one machine)
    consumer_address: Annotated[
        str | None,
        Field(pattern=_ADDRESS),
        Option(
            "address",
            "of the environment's Ethereum key",
            Announced("address", "consumerAddress", "The consumer of every order for this environment."),
            default="set per deployment",
        ),
    ] = None
    box_public_key: Annotated[
        str | None,
        Field(pattern=r"^[A-Za-z0-9+/]{43}=$"),
        Option(
            "base64, 32 bytes", "seals job specs for this environment", Announced("text"), default="set per deployment"
        ),
    ] = None
    publication: Annotated[
        Publication | None,
        Option(
            "table",
            "a consumer may ask that outputs become an asset",
            Announced("whole", "publicationChainId", "The chain of these assets.", name="publication_chain"),
            default="results do not become assets",
        ),
    ] = None

"""What the rendered pods may and may not do, read off the manifests that Argo is given."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
import yaml

from contract import names
from workflow_templates.environment import Environment, read_environments
from workflow_templates.parts import Filter, Publication, StepPods, Toleration
from workflow_templates.render import render

pytestmark = pytest.mark.unit

STEPS = (names.CONFIGURATION, names.ALGORITHM, names.PUBLISHING)
ENVIRONMENTS = read_environments()


def manifest_of(environment: Environment) -> dict[str, Any]:
    text = render([environment])[f"base/environments/{environment.id}.yaml"]
    found: dict[str, Any] = yaml.safe_load(text)
    return found


@pytest.fixture(params=ENVIRONMENTS, ids=lambda environment: environment.id)
def manifest(request: pytest.FixtureRequest) -> dict[str, Any]:
    return manifest_of(request.param)


def template(manifest: dict[str, Any], name: str) -> dict[str, Any]:
    (found,) = [t for t in manifest["spec"]["templates"] if t["name"] == name]
    assert isinstance(found, dict)
    return found


def texts(value: Any) -> list[str]:
    """Every text in a manifest, keys included."""
    if isinstance(value, dict):
        return [t for k, v in value.items() for t in (str(k), *texts(v))]
    if isinstance(value, list):
        return [t for v in value for t in texts(v)]
    return [str(value)]


def test_no_pod_gets_a_token(manifest: dict[str, Any]) -> None:
    spec = manifest["spec"]
    assert spec["automountServiceAccountToken"] is False
    assert spec["executor"]["serviceAccountName"] != spec["serviceAccountName"]
    for t in spec["templates"]:
        assert not {"automountServiceAccountToken", "serviceAccountName", "executor"} & set(t)


@pytest.mark.parametrize("step", STEPS)
def test_containers_are_locked_down(manifest: dict[str, Any], step: str) -> None:
    assert template(manifest, step)["container"]["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "capabilities": {"drop": ["ALL"]},
        "readOnlyRootFilesystem": True,
        "runAsNonRoot": True,
        "seccompProfile": {"type": "RuntimeDefault"},
    }
    pod = manifest["spec"]["securityContext"]
    assert (pod["runAsNonRoot"], pod["runAsUser"], pod["fsGroup"]) == (True, 1000, 1000)
    assert pod["seccompProfile"] == {"type": "RuntimeDefault"}
    assert "securityContext" not in template(manifest, step)  # nothing overrides the pod's


def test_nothing_reaches_the_machine(manifest: dict[str, Any]) -> None:
    forbidden = {"hostPath", "hostNetwork", "hostPID", "hostIPC", "privileged", "sidecars", "initContainers", "ports"}
    assert not forbidden & set(texts(manifest))


def test_the_algorithm_sees_its_inputs_read_only_and_no_secret(manifest: dict[str, Any]) -> None:
    algorithm = template(manifest, names.ALGORITHM)
    mounts = {m["mountPath"]: (m["name"], m.get("subPath"), m.get("readOnly", False)) for m in _mounts(algorithm)}
    assert mounts == {
        "/data/inputs": ("data", "inputs", True),
        "/data/ddos": ("data", "ddos", True),
        "/data/transformations": ("data", "transformations", True),
        "/data/outputs": ("data", "outputs", False),
        "/data/logs": ("data", "logs", False),
        "/c2d/start": ("data", "start", True),
        "/tmp": ("tmp", None, False),
    }
    assert [list(volume) for volume in algorithm["volumes"]] == [["emptyDir", "name"]]
    assert not {"outputs", "retryStrategy"} & set(algorithm)
    assert algorithm["inputs"] == {"parameters": [{"name": "seconds"}]}  # its time, from configuration
    assert algorithm["container"]["env"] == [{"name": "HOME", "value": "/tmp"}]
    assert algorithm["container"]["command"] == ["sh", "/c2d/start/run.sh"]


def test_only_configuration_has_the_keys_and_the_job_spec(manifest: dict[str, Any]) -> None:
    environment = manifest["metadata"]["name"]
    secrets = {
        t["name"]: sorted(v["secret"]["secretName"] for v in t.get("volumes", []) if "secret" in v)
        for t in manifest["spec"]["templates"]
    }
    assert secrets == {
        names.CONFIGURATION: [names.environment_secret(environment)],
        names.ALGORITHM: [],
        names.PUBLISHING: [names.RESULT_STORE_SECRET],
        names.COMPUTE: [],
        names.QUEUED: [],
        names.TURN: [],
        names.RELEASE: [],
    }
    spec = "{{workflow.parameters.job-spec}}"
    assert texts(manifest).count(spec) == 1
    (artifact,) = template(manifest, names.CONFIGURATION)["inputs"]["artifacts"]
    assert artifact == {"name": "job-spec", "path": "/c2d/job-spec", "raw": {"data": spec}}
    assert "volumes" not in manifest["spec"]
    assert "secretKeyRef" not in texts(manifest)


def test_publishing_sees_its_own_results_alone(manifest: dict[str, Any]) -> None:
    publishing = template(manifest, names.PUBLISHING)
    (mount,) = [m for m in _mounts(publishing) if m["name"] == names.RESULTS_VOLUME]
    assert (mount["mountPath"], mount["subPath"]) == ("/results/{{workflow.name}}", "{{workflow.name}}")


def test_an_asset_has_a_folder_of_its_job_too() -> None:
    environment = ENVIRONMENTS[0].model_copy(update={"publication": Publication(chain_id=1)})
    publishing = template(manifest_of(environment), names.PUBLISHING)
    mounts = [m for m in _mounts(publishing) if m["name"] == names.RESULTS_VOLUME]
    assert [(m["mountPath"], m["subPath"]) for m in mounts] == [
        (f"/results/{name}", name) for name in ("{{workflow.name}}", "asset-{{workflow.name}}")
    ]


@pytest.mark.parametrize(("given", "most"), [(None, 3), (1, 1), (9, 9)])
def test_results_have_a_limit_that_is_announced(given: int | None, most: int) -> None:
    filtered = Filter(image="i", command=("c",))
    changes = {"disk_gb": 3, "max_results_gb": given, "results_reserve_gb": 2, "filter": filtered}
    manifest = manifest_of(ENVIRONMENTS[0].model_copy(update=changes))
    filtering, publishing = template(manifest, names.FILTERING), template(manifest, names.PUBLISHING)
    for container in (filtering["initContainers"][0], publishing["container"]):
        env = {item["name"]: item["value"] for item in container["env"]}
        assert env["C2D_MAX_OUTPUT_BYTES"] == str(most << 30)
    assert {"name": "C2D_STORE_RESERVE_BYTES", "value": str(2 << 30)} in publishing["container"]["env"]
    assert manifest["metadata"]["annotations"][names.option("max_results_gb")] == str(most)


def test_a_writable_root_is_the_environments_choice_and_has_a_size() -> None:
    manifest = manifest_of(ENVIRONMENTS[0].model_copy(update={"scratch_root": "2Gi"}))
    algorithm = template(manifest, names.ALGORITHM)["container"]
    assert algorithm["securityContext"]["readOnlyRootFilesystem"] is False
    assert algorithm["securityContext"]["capabilities"] == {"drop": ["ALL"]}
    assert algorithm["resources"]["limits"]["ephemeral-storage"] == f"{1024 + 256 + 2048}Mi"
    assert manifest["metadata"]["annotations"][names.option("scratch_root")] == "2Gi"
    for step in (names.CONFIGURATION, names.PUBLISHING):
        assert template(manifest, step)["container"]["securityContext"]["readOnlyRootFilesystem"] is True
    plain = manifest_of(ENVIRONMENTS[0])
    assert names.option("scratch_root") not in plain["metadata"]["annotations"]


def test_an_images_own_user_is_the_environments_choice() -> None:
    """Of the algorithm's pod alone, and never root; the group of the volume is as everybody's."""
    manifest = manifest_of(ENVIRONMENTS[0].model_copy(update={"image_user": True}))
    everybodys = manifest["spec"]["securityContext"]
    assert (everybodys["runAsUser"], everybodys["runAsGroup"], everybodys["fsGroup"]) == (1000, 1000, 1000)
    found = {
        each["name"]: each["securityContext"] for each in manifest["spec"]["templates"] if "securityContext" in each
    }
    own = {key: value for key, value in everybodys.items() if key not in ("runAsUser", "runAsGroup")}
    assert found == {names.ALGORITHM: own}
    assert own["runAsNonRoot"] is True
    assert not [each for each in manifest_of(ENVIRONMENTS[0])["spec"]["templates"] if "securityContext" in each]


def test_every_container_has_a_limit_of_the_nodes_disk() -> None:
    filtered = Filter(image="i", command=("c",), tmp="1Gi")
    steps = StepPods(tmp="32Mi")
    changes = {"tmp": "2Gi", "ephemeral_storage": "1Gi", "steps": steps, "filter": filtered}
    manifest = manifest_of(ENVIRONMENTS[0].model_copy(update=changes))
    found = {}
    for step in (each for each in manifest["spec"]["templates"] if "container" in each):
        for container in (step["container"], *step.get("initContainers", ())):
            amounts = container["resources"]
            assert amounts["requests"]["ephemeral-storage"] == amounts["limits"]["ephemeral-storage"]
            found[step["name"], container.get("name", "main")] = amounts["limits"]["ephemeral-storage"]
    ours = f"{32 + 256}Mi"
    assert found == {
        (names.CONFIGURATION, "main"): ours,
        (names.ALGORITHM, "main"): f"{2048 + 1024}Mi",
        (names.FILTERING, "main"): f"{1024 + 256}Mi",
        (names.FILTERING, "collect"): ours,
        (names.PUBLISHING, "main"): ours,
    }


def placed(**changes: Any) -> dict[str, Any]:
    """With a filter, so that there is one pod of each step."""
    filtered = Filter(image="i", command=("c",))
    return manifest_of(ENVIRONMENTS[0].model_copy(update={"filter": filtered, **changes}))


@pytest.mark.parametrize(
    ("changes", "field", "value"),
    [
        ({"node_selector": {"disk": "fast"}}, "nodeSelector", {"disk": "fast"}),
        ({"priority_class": "batch"}, "podPriorityClassName", "batch"),
        ({"image_pull_secrets": ("a", "b")}, "imagePullSecrets", [{"name": "a"}, {"name": "b"}]),
        (
            {"tolerations": (Toleration(key="spot", value="yes"), Toleration(operator="Exists", effect="NoExecute"))},
            "tolerations",
            [{"key": "spot", "value": "yes"}, {"operator": "Exists", "effect": "NoExecute"}],
        ),
    ],
)
def test_all_pods_of_a_job_run_in_one_place(changes: dict[str, Any], field: str, value: Any) -> None:
    manifest = placed(**changes)
    assert manifest["spec"].pop(field) == value
    assert manifest == placed()


def test_the_algorithm_alone_runs_in_a_runtime_class() -> None:
    manifest = placed(runtime_class="gvisor")
    algorithm = template(manifest, names.ALGORITHM)
    assert json.loads(algorithm["podSpecPatch"])["runtimeClassName"] == "gvisor"
    assert manifest["metadata"]["annotations"].pop(names.option("runtime_class")) == "gvisor"
    plain = placed()
    algorithm["podSpecPatch"] = template(plain, names.ALGORITHM)["podSpecPatch"]
    assert manifest == plain


def test_the_algorithm_alone_waits_in_a_queue() -> None:
    manifest = placed(queue="gpus")
    assert template(manifest, names.ALGORITHM)["metadata"]["labels"].pop("kueue.x-k8s.io/queue-name") == "gpus"
    assert manifest == placed()


def test_every_expression_is_one_of_ours_and_stands_alone(manifest: dict[str, Any]) -> None:
    """The controller evaluates what it finds in arguments: none is pasted into a longer text."""
    allowed = {"{{workflow.name}}"} | {"{{workflow.parameters." + name + "}}" for name in names.ARGUMENTS}
    allowed |= {"{{tasks.configuration.outputs.parameters.seconds}}", "{{inputs.parameters.seconds}}"}
    allowed |= {"/results/{{workflow.name}}"}
    assert {text for text in texts(manifest) if "{{" in text or "}}" in text} == allowed


def test_arguments_are_declared_without_defaults(manifest: dict[str, Any]) -> None:
    declared = manifest["spec"]["arguments"]["parameters"]
    assert declared == [{"name": name} for name in names.ARGUMENTS]


def test_only_our_programs_are_tried_again_and_only_when_it_may_help(manifest: dict[str, Any]) -> None:
    for step in (names.CONFIGURATION, names.PUBLISHING):
        retry = template(manifest, step)["retryStrategy"]
        assert retry["limit"] == "2"
        assert retry["expression"].startswith("lastRetry.status == 'Error' || asInt(lastRetry.exitCode) == 75 || (")
        assert (
            "maxDuration" not in retry["backoff"]
        )  # would count the attempt's own time: no retry after a long download
        assert "retryPolicy" not in retry  # with an expression Argo's default is Always


def test_every_pod_ends(manifest: dict[str, Any]) -> None:
    for step in STEPS:
        t = template(manifest, step)
        assert t["activeDeadlineSeconds"]
        assert re.fullmatch(r"[1-9][0-9]*s", t["pendingTimeout"])
        patch = json.loads(t["podSpecPatch"])
        assert patch == {"enableServiceLinks": False, "terminationGracePeriodSeconds": 5}
        assert {"cpu", "memory"} <= set(t["container"]["resources"]["limits"])
        assert t["container"]["resources"]["requests"] == t["container"]["resources"]["limits"]
    # What is left of the paid time when the pod is made: configuration tells it, after the queue and all downloads.
    assert template(manifest, names.ALGORITHM)["activeDeadlineSeconds"] == "{{inputs.parameters.seconds}}"
    outputs = template(manifest, names.CONFIGURATION)["outputs"]["parameters"]
    assert [item["name"] for item in outputs] == [names.OUT_SECONDS, names.OUT_LIMITS]
    assert all("default" in item["valueFrom"] for item in outputs)  # a step that failed has none


def test_labels_say_which_network_a_pod_needs(manifest: dict[str, Any]) -> None:
    labels = {step: template(manifest, step)["metadata"]["labels"] for step in STEPS}
    assert {step: values[names.STEP] for step, values in labels.items()} == {step: step for step in STEPS}
    assert {step: values[names.NETWORK] for step, values in labels.items()} == {
        names.CONFIGURATION: "outgoing",
        names.ALGORITHM: "{{workflow.parameters.network}}",
        names.PUBLISHING: "store",
    }


def test_shape_places_and_clean_up(manifest: dict[str, Any]) -> None:
    spec, environment = manifest["spec"], manifest["metadata"]["name"]
    assert (spec["entrypoint"], spec["onExit"]) == (names.COMPUTE, names.RELEASE)
    compute, release = template(manifest, names.COMPUTE), template(manifest, names.RELEASE)
    assert compute["dag"]["tasks"] == [
        {"name": "configuration", "template": "configuration"},
        {
            "name": "algorithm",
            "template": "algorithm",
            "depends": "configuration.Succeeded",
            "arguments": {
                "parameters": [{"name": "seconds", "value": "{{tasks.configuration.outputs.parameters.seconds}}"}]
            },
        },
    ]
    assert template(manifest, names.QUEUED)["dag"]["tasks"] == [
        {"name": "turn", "template": "turn"},
        {"name": "compute", "template": "compute", "depends": "turn.Succeeded"},
    ]
    assert template(manifest, names.TURN) == {"name": "turn", "suspend": {}}
    assert release["dag"]["tasks"] == [{"name": "publishing", "template": "publishing"}]
    limit = {"name": names.LIMITS_CONFIG_MAP, "key": environment}
    assert compute["synchronization"] == {"semaphores": [{"configMapKeyRef": limit}]}
    assert "synchronization" not in spec  # a waiting workflow could not be stopped
    assert "synchronization" not in release  # publishing takes no place
    assert "synchronization" not in template(manifest, names.QUEUED)  # nor does waiting
    assert spec["volumeClaimGC"] == {"strategy": "OnWorkflowCompletion"}
    assert spec["podGC"] == {"strategy": "OnPodCompletion", "deleteDelayDuration": "30s"}


@pytest.mark.parametrize("environment", ENVIRONMENTS, ids=lambda environment: environment.id)
def test_what_is_announced_is_what_was_described(environment: Environment) -> None:
    manifest = manifest_of(environment)
    announced = manifest["metadata"]["annotations"]
    assert all(isinstance(value, str) for value in announced.values())
    assert announced[names.option("price_per_minute")] == environment.price_per_minute
    assert announced[names.option("max_job_duration")] == str(environment.max_job_duration)
    assert json.loads(announced[names.option("allowed_chains")]) == list(environment.allowed_chains)
    assert names.CONSUMER_ADDRESS not in announced  # belongs to a key that the deployment makes
    assert manifest["metadata"]["labels"] == {names.ENVIRONMENT: environment.id}
    assert manifest["spec"]["ttlStrategy"]["secondsAfterCompletion"] >= environment.storage_expiry
    (claim,) = manifest["spec"]["volumeClaimTemplates"]
    assert claim["spec"]["resources"]["requests"]["storage"] == f"{environment.disk_gb}Gi"


def test_what_a_deployment_adds_is_rendered() -> None:
    environment = ENVIRONMENTS[0].model_copy(
        update={
            "consumer_address": "0x70997970C51812dc3A010C7d01b50e0d17dc79C8",
            "storage_class": "local",
            "gpu_number": 2,
            "gpu_type": "T4",
            "allowed_chains": (1, 8996),
        }
    )
    manifest = manifest_of(environment)
    announced = manifest["metadata"]["annotations"]
    assert announced[names.CONSUMER_ADDRESS] == environment.consumer_address
    assert announced[names.option("allowed_chains")] == "[1, 8996]"
    assert manifest["spec"]["volumeClaimTemplates"][0]["spec"]["storageClassName"] == "local"
    resources = template(manifest, names.ALGORITHM)["container"]["resources"]
    assert resources["limits"]["nvidia.com/gpu"] == resources["requests"]["nvidia.com/gpu"] == "2"


# --- with a filter ---------------------------------------------------------------------------------------------------

FILTERED = ENVIRONMENTS[0].model_copy(
    update={"filter": Filter(image="registry.example/judge:1", command=("judge", "--strict"), seconds=90)}
)


def test_publishing_waits_for_the_filter_and_is_told_how_it_ended() -> None:
    manifest = manifest_of(FILTERED)
    tasks = {task["name"]: task for task in template(manifest, names.RELEASE)["dag"]["tasks"]}
    assert tasks[names.FILTERING] == {"name": "filtering", "template": "filtering"}
    publishing = tasks[names.PUBLISHING]
    assert publishing["depends"] == "filtering.Succeeded || filtering.Failed || filtering.Errored"
    assert publishing["arguments"]["parameters"] == [{"name": "release", "value": "{{tasks.filtering.status}}"}]
    variables = {v["name"]: v["value"] for v in template(manifest, names.PUBLISHING)["container"]["env"]}
    assert variables["C2D_RELEASE"] == "{{inputs.parameters.release}}"
    assert manifest["metadata"]["annotations"][names.FILTERED] == "true"


def test_a_filter_sees_a_copy_and_can_write_to_nothing_else() -> None:
    filtering = template(manifest_of(FILTERED), names.FILTERING)
    mounts = {m["mountPath"]: (m["name"], m.get("subPath"), m.get("readOnly", False)) for m in _mounts(filtering)}
    assert mounts == {
        "/data/inputs": ("data", "inputs", True),
        "/data/ddos": ("data", "ddos", True),
        "/data/transformations": ("data", "transformations", True),
        "/data/outputs": ("data", "released/outputs", False),
        "/data/logs": ("data", "released/logs", False),
        "/data/adminlogs": ("data", "released/adminlogs", False),
        "/tmp": ("tmp", None, False),
    }
    (collect,) = filtering["initContainers"]
    assert (collect["image"], collect["command"]) == (names.STEP_IMAGE, ["python", "-m", "pods.filtering"])
    assert collect["securityContext"] == filtering["container"]["securityContext"]
    assert collect["securityContext"]["readOnlyRootFilesystem"] is True
    assert filtering["container"]["image"] == "registry.example/judge:1"
    assert filtering["container"]["command"][-3:] == ["filter", "judge", "--strict"]
    assert filtering["metadata"]["labels"][names.NETWORK] == "none"
    assert filtering["activeDeadlineSeconds"] == 90
    assert filtering["pendingTimeout"]
    assert [list(volume) for volume in filtering["volumes"]] == [["emptyDir", "name"]]


def test_a_filter_changes_nothing_before_the_release() -> None:
    plain, filtered = manifest_of(ENVIRONMENTS[0]), manifest_of(FILTERED)
    for step in (names.COMPUTE, names.CONFIGURATION, names.ALGORITHM):
        assert template(plain, step) == template(filtered, step)


def _mounts(template: dict[str, Any]) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = template["container"]["volumeMounts"]
    return found

"""docs/how-to/deploy-helm.md: its values render, its files and commands exist, its names fit each other."""

from __future__ import annotations

import re
import shlex
from typing import Any

import helm_python as helm
import pytest
import yaml
from typer.main import get_command

from provider_api.cli import app
from provider_api.settings import known_names
from tests.support.clients import ROOT
from tests.support.helm_chart import CHART, Object, chart, objects, of_kind, one
from tests.support.how_to import ADDRESSES, blocks
from tests.support.kube_api import merged
from tests.support.kubernetes_schemas import problems

pytestmark = pytest.mark.unit

PAGE = "deploy-helm.md"
KIND = ROOT / "examples" / "kind"


def commands() -> list[list[str]]:
    text = "\n".join(blocks(PAGE, "sh")).replace("\\\n", " ")
    return [shlex.split(line, comments=True) for line in text.splitlines() if line.strip()]


def installed(*, in_production: bool = False) -> list[Object]:
    """What the page's `helm upgrade` sends, with keys as `c2d admin keys` prints them; or its second one, which is
    told only what is otherwise."""
    trial, production = map(yaml.safe_load, blocks(PAGE, "yaml"))
    values = merged(trial, production) if in_production else trial
    values |= yaml.safe_load((CHART / "environments.yaml").read_text())
    names = [each["metadata"]["name"] for each in of_kind(values["environments"]["manifests"], "WorkflowTemplate")]
    keys = {"consumerAddress": "0x" + "1" * 40, "boxPublicKey": "A" * 43 + "="}
    values["environments"]["keys"] = dict.fromkeys(names, keys)
    (option,) = [word for line in commands() for word in line if word.startswith("files.inline")]
    set_file = helm.parse_set_string(option)
    assert set_file == {"files": {"inline": {"address.json": ADDRESSES}}}
    values["files"] = {"inline": {"address.json": '{"development": {}}'}}
    return objects(values)


def test_the_values_render_to_what_the_page_says() -> None:
    found = installed()
    assert {each["metadata"]["name"]: problems(each) for each in found if problems(each)} == {}
    settings = one(found, "ConfigMap", "c2d")["data"]
    assert settings["C2D_RESULTS__URL"] == "file:///results"
    pod = one(found, "Deployment")["spec"]["template"]["spec"]
    mounts = {mount["mountPath"] for mount in pod["containers"][0]["volumeMounts"]}
    (chain,) = yaml.safe_load(settings["C2D_CHAINS"])
    folder, _, name = chain["address_file"].rpartition("/")
    assert folder in mounts
    assert name in one(found, "ConfigMap", "c2d-files")["data"]
    policy = one(found, "NetworkPolicy", "c2d")["spec"]["egress"]
    ways = [(peer["ipBlock"]["cidr"], rule["ports"]) for rule in policy for peer in rule["to"] if "ipBlock" in peer]
    node = re.fullmatch(r"http://([0-9.]+):([0-9]+)", chain["url"])
    assert node is not None
    assert (f"{node[1]}/32", [{"protocol": "TCP", "port": int(node[2])}]) in ways


def test_the_values_of_production_bring_replicas_a_database_and_a_bucket() -> None:
    found = installed(in_production=True)
    assert {each["metadata"]["name"]: problems(each) for each in found if problems(each)} == {}
    assert {each["metadata"]["namespace"] for each in of_kind(found, "PersistentVolumeClaim")} == {"jobs"}
    deployment = one(found, "Deployment")["spec"]
    (container,) = deployment["template"]["spec"]["containers"]
    assert deployment["replicas"] == 2
    assert one(found, "ConfigMap", "c2d")["data"]["C2D_RESULTS__URL"] == "s3://results/c2d"
    named = {each["secretRef"]["name"] for each in container["envFrom"] if "secretRef" in each}
    named |= {each["valueFrom"]["secretKeyRef"]["name"] for each in container["env"] if "valueFrom" in each}
    made = {line[line.index("generic") + 1] for line in commands() if "generic" in line}
    assert named == made - {"c2d-result-store", "$(basename $folder)"}
    assert one(found, "Job")["metadata"]["annotations"]["helm.sh/hook"] == "pre-install,pre-upgrade"


def test_the_volumes_for_kind_fit_the_claims_of_both_namespaces() -> None:
    made = list(yaml.safe_load_all((KIND / "results.yaml").read_text()))
    assert {each["metadata"]["name"]: problems(each) for each in made if problems(each)} == {}
    claims = [*of_kind(made, "PersistentVolumeClaim"), *of_kind(installed(), "PersistentVolumeClaim")]
    wanted = {(each["metadata"]["namespace"], each["metadata"]["name"]): each["spec"] for each in claims}
    volumes = of_kind(made, "PersistentVolume")
    assert len(volumes) == 2
    for volume in volumes:
        claim = wanted[volume["spec"]["claimRef"]["namespace"], volume["spec"]["claimRef"]["name"]]
        assert claim["accessModes"] == volume["spec"]["accessModes"]
        assert claim["resources"]["requests"]["storage"] == volume["spec"]["capacity"]["storage"]
    pod = one(installed(), "Deployment")["spec"]["template"]["spec"]
    mounted = [v["persistentVolumeClaim"]["claimName"] for v in pod["volumes"] if "persistentVolumeClaim" in v]
    assert {("c2d", name) for name in mounted} <= set(wanted)
    cluster = yaml.safe_load((KIND / "cluster.yaml").read_text())
    (node,) = cluster["nodes"]
    mounts = {m["hostPath"]: m["containerPath"] for m in node["extraMounts"]}
    assert {v["spec"]["hostPath"]["path"] for v in volumes} == {mounts.pop("kind-results")}
    # The registry of the page, as containerd looks for it.
    ((folder, place),) = mounts.items()
    assert place == "/etc/containerd/certs.d"
    assert (ROOT / folder / "localhost:5000" / "hosts.toml").is_file()
    assert ["install", "-d", "-m", "0777", node["extraMounts"][0]["hostPath"]] in commands()


def test_commands_of_ours_exist() -> None:
    known: Any = get_command(app)
    tried = 0
    for words in commands():
        if words[0] == "make":
            assert re.search(rf"^{words[1]}:", (ROOT / "Makefile").read_text(), re.MULTILINE)
        elif words[0] == ".venv/bin/c2d":
            command = known
            for word in words[1:]:
                command = getattr(command, "commands", {}).get(word, command)
            assert command is not known
            options = {name for parameter in command.params for name in parameter.opts}
            assert {word for word in words if word.startswith("--")} <= options
        else:
            continue
        tried += 1
    assert tried == 5


def test_files_that_commands_name_exist() -> None:
    made_by_the_page = ("kind-results", "kind-values.yaml", "production-values.yaml", "../", ADDRESSES)
    words = {word.split("=")[-1] for line in commands() for word in line}
    paths = {word for word in words if re.fullmatch(r"[\w./-]+\.(yaml|json)|helm", word)}
    assert {"examples/kind/cluster.yaml", "helm", "helm/environments.yaml"} <= paths
    assert [path for path in paths if not path.startswith(made_by_the_page) and not (ROOT / path).exists()] == []


def test_values_that_the_page_names_exist() -> None:
    text = (ROOT / "docs" / "how-to" / PAGE).read_text()
    schema = chart().schema
    assert schema is not None
    named = set(re.findall(r"`([a-z]\w*(?:\.\w+)*)(?:: [^`]*)?`", text))
    tops = set(schema["properties"])
    values = {name for name in named if name.split(".")[0] in tops}
    assert len(values) > 15
    for name in values:
        place: Any = schema
        for part in name.split("."):
            place = schema["$defs"][place["$ref"].rsplit("/", 1)[1]] if "$ref" in place else place
            assert part in place["properties"], name
            place = place["properties"][part]
    assert "C2D_LIMITS__LIST_LIMIT" in set(known_names())


def test_secrets_that_the_page_makes_are_those_that_are_named(tmp_path: Any) -> None:
    """The chart's defaults, the environments' manifests and the page agree about names of Secrets."""
    from typer.testing import CliRunner

    CliRunner().invoke(app, ["admin", "keys", str(tmp_path)])
    made = {(path.parent.parent.name, path.parent.name, path.name) for path in tmp_path.glob("*/*/*")}
    provider = chart().values["secrets"]["providerKey"]
    assert ("c2d", provider["name"], provider["key"]) in made
    mounted = set()
    for template in of_kind(installed(), "WorkflowTemplate"):
        for each in template["spec"]["templates"]:
            mounted |= {v["secret"]["secretName"] for v in each.get("volumes", []) if "secret" in v}
    assert mounted == {name for namespace, name, _ in made if namespace == "jobs"} | {"c2d-result-store"}
    assert any("c2d-result-store" in line for line in commands())

"""`c2d admin chart`: what the Helm chart takes from the programs, written into its folder and compared by `--check`.

values.schema.json   by hand, except for `settings`, which is made from the settings themselves: every one that is no
                     secret and that the chart does not set, with its type. So a chart never knows fewer or other
                     settings than the service.
public-addresses.yaml  what the service's NetworkPolicy calls public: the addresses of the guard of outgoing requests
environments.yaml    the manifests of argo/gitops/base as values of the chart, and the same with keys for its tests
"""

from __future__ import annotations

import base64
import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Final

import yaml

from contract.argo_releases import NEWEST, ArgoRelease
from ocean.outgoing.public import public_blocks
from provider_api.settings import Settings
from workflow_templates.environment import Environment, read_environments
from workflow_templates.plain_yaml import plain_yaml
from workflow_templates.render import manifests

CHART: Final = Path(__file__).parents[2] / "helm"
_SCHEMA: Final = "values.schema.json"
_ENVIRONMENTS: Final = "environments.yaml"
_TRIAL: Final = "ci/environments-values.yaml"
_PUBLIC: Final = "public-addresses.yaml"
_COMMAND: Final = "`c2d admin chart render`"

# What the chart decides by itself: where things are in the pod, and what its probes and Services rely on.
DECIDED: Final = frozenset(
    {
        "data_folder",
        "server.host",
        "server.port",
        "server.shutdown_seconds",
        "provider.key_file",
        "argo.token_file",
        "machine.environments",
        "machine.images",
        "metrics.port",
        "log.json_lines",
        "publication.port",
        "publication.chain_id",
        "publication.key_file",
    }
)

_HEAD: Final = """# Made by {command}. Do not edit.
# Environments as values of the chart: helm upgrade --install … --values {name}
"""


def chart_files(folder: Path = CHART) -> dict[str, str]:
    """All files: name -> content."""
    schema = json.loads((folder / _SCHEMA).read_text("utf-8"))
    schema["properties"]["settings"] = settings_schema()
    environments = read_environments()
    return {
        _SCHEMA: json.dumps(schema, indent=2, ensure_ascii=False) + "\n",
        _ENVIRONMENTS: environment_values(environments, _COMMAND, "helm/environments.yaml"),
        _PUBLIC: public_addresses(),
        _TRIAL: _document(_trial(environments), _COMMAND, f"helm/{_TRIAL}"),
    }


def public_addresses() -> str:
    """Peers of a NetworkPolicy."""
    peers = [{"ipBlock": {"cidr": cidr, "except": list(but)}} for cidr, but in public_blocks()]
    head = f"# Made by {_COMMAND} from ocean/outgoing/public.py. Do not edit.\n"
    return head + yaml.safe_dump(peers, sort_keys=False)


def environment_values(environments: Iterable[Environment], command: str, name: str, argo: ArgoRelease = NEWEST) -> str:
    """Values of the chart that bring these environments."""
    return _document({"environments": {"manifests": list(manifests(environments, argo).values())}}, command, name)


def settings_schema() -> dict[str, Any]:
    """JSON schema of the value `settings`: closed, without secrets and without what the chart decides."""
    document = Settings.model_json_schema()
    definitions = document.get("$defs", {})

    def plain(schema: Any, path: str) -> Any:
        if isinstance(schema, list):
            return [plain(item, path) for item in schema]
        if not isinstance(schema, Mapping):
            return schema
        if "$ref" in schema:
            found = definitions[schema["$ref"].rsplit("/", 1)[1]]
            return plain({**found, **{k: v for k, v in schema.items() if k != "$ref"}}, path)
        kept = {k: plain(v, path) for k, v in schema.items() if k not in ("title", "default", "format", "properties")}
        if "properties" in schema:
            fields = {name: (f"{path}.{name}".lstrip("."), field) for name, field in schema["properties"].items()}
            wanted = {n: plain(f, p) for n, (p, f) in fields.items() if p not in DECIDED and not _is_secret(f)}
            # A group of which nothing is left is no group.
            kept["properties"] = {n: f for n, f in wanted.items() if f.get("properties") != {}}
            kept["additionalProperties"] = False
        if "patternProperties" in kept:
            kept["additionalProperties"] = False
        if "description" in kept:
            kept["description"] = " ".join(kept["description"].split())
        return kept

    schema: dict[str, Any] = plain(document | {"$defs": {}}, "")
    schema.pop("$defs", None)
    return schema


def write(folder: Path = CHART) -> list[str]:
    """Write what differs. Returns the names."""
    changed = check(folder)
    files = chart_files(folder)
    for name in changed:
        (folder / name).write_text(files[name], "utf-8")
    return changed


def check(folder: Path = CHART) -> list[str]:
    """The names of files that `write` would change."""
    return [
        name
        for name, text in chart_files(folder).items()
        if not (folder / name).is_file() or (folder / name).read_text("utf-8") != text
    ]


def _trial(environments: Iterable[Environment]) -> dict[str, Any]:
    """Values with everything an environment can be given. The keys open nothing."""
    environments = list(environments)
    keys = {"consumerAddress": "0x" + "11" * 20, "boxPublicKey": base64.b64encode(bytes(32)).decode()}
    return {
        "settings": {"chains": [{"url": "https://node.example"}], "results": {"url": "s3://bucket/results"}},
        "environments": {
            "namespace": "other-jobs",
            "image": "registry.example/c2d-pods:0.1.0",
            "keys": {environment.id: keys for environment in environments},
            "manifests": list(manifests(environments).values()),
        },
    }


def _document(values: Mapping[str, Any], command: str, name: str) -> str:
    return _HEAD.format(command=command, name=name) + plain_yaml(values)


def _is_secret(schema: Any) -> bool:
    """Whether values of this field, or of entries in it, are `SecretStr`."""
    if isinstance(schema, Mapping):
        return bool(schema.get("writeOnly")) or any(_is_secret(value) for value in schema.values())
    return isinstance(schema, list) and any(_is_secret(item) for item in schema)

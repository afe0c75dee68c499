"""Environments: their templates, Secrets, keys, semaphores and volumes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from argo.client.parsing import parse_template
from contract import names
from contract.keys import ENVIRONMENT_KEY_FILE, ETHEREUM_KEY_FILE, SERVICE_PUBLIC_FILE
from pods.publishing.facts import FACTS_FILE, KEY_FILE
from provider_api.doctor.lines import Item, Line, listed
from provider_api.environments.announced import TemplateUnusable
from provider_api.environments.environment import Environment
from results.store import STORE_FILE

Json = Mapping[str, Any]

ENVIRONMENTS: Final = Item(
    "environments",
    "an environment's WorkflowTemplate",
    "there, with all that is announced, and the annotations of this deployment's keys",
    "render and apply the templates; set the two annotations consumer-address and box-public-key in your overlay",
)
SECRETS: Final = Item(
    "environment-secrets",
    "Secrets that an environment's pods mount",
    "there, with the files that the programs open",
    "create the Secret with files of exactly these names",
)
KEYS: Final = Item(
    "environment-keys",
    "keys of an environment",
    "the public keys that are announced belong to the private ones; this service is among those accepted",
    "make the keys of the environment anew, or correct its two annotations and the file service.pub",
)
SEMAPHORES: Final = Item(
    "semaphores",
    "an environment's semaphore",
    "a number, the announced max-jobs",
    "apply the rendered ConfigMap c2d-limits together with the templates; without its key no job ever starts",
)
LOCKS: Final = Item(
    "locks",
    "unfinished jobs that can never move again",
    "none: the key of each one's environment is in the ConfigMap of limits, and was when Argo's controller started",
    "put the key back, then restart the controller (docs/operations/runbooks.md, Jobs stay queued)",
)
STORAGE_CLASS: Final = Item(
    "storage-class",
    "storage class of the jobs' volumes",
    "there, volumeBindingMode WaitForFirstConsumer",
    "name one in the environment (storage_class), or make one the default; with Immediate a volume may be made "
    "in a zone where the job's pods cannot run",
)
CLAIM: Final = Item(
    "results-claim",
    "the claim for results",
    "Bound, ReadWriteMany",
    "create it with a storage class that gives ReadWriteMany, or let the environments use an object store",
)

_OF_ASSETS: Final = {FACTS_FILE: True, KEY_FILE: True}
_DEFAULT_CLASS = "storageclass.kubernetes.io/is-default-class"


def judge_environments(templates: Sequence[Json] | None) -> list[Line]:
    """`templates`: those with the environment label; None: the cluster has no such kind of object."""
    if not templates:
        return [ENVIRONMENTS.failure("there is none" if templates is not None else "no such kind of object")]
    return [_judge_environment(template) for template in templates]


def _judge_environment(document: Json) -> Line:
    template = parse_template(document)
    if template.labels.get(names.ENVIRONMENT) != template.name:
        found = f"the label {names.ENVIRONMENT} names another environment"
        return ENVIRONMENTS.failure(found, template.name, mend="give the label the template's name")
    if missing := set(names.ARGUMENTS) ^ set(template.arguments):
        found = f"arguments differ: {listed(missing)}"
        return ENVIRONMENTS.failure(found, template.name, mend="apply the templates of this release of the service")
    try:
        environment = Environment.of_template(template)
    except TemplateUnusable as exc:
        return ENVIRONMENTS.failure(f"missing or wrong: {exc}", template.name)
    return ENVIRONMENTS.ok(f"up to {environment.max_jobs} jobs at once", template.name)


def wanted_secrets(template: Json) -> dict[str, dict[str, bool]]:
    """Secrets that a template's pods mount -> the files that its programs open, and whether they must be there."""
    keys = {ENVIRONMENT_KEY_FILE: True, SERVICE_PUBLIC_FILE: True, ETHEREUM_KEY_FILE: False}
    known = {names.environment_secret(_name(template)): keys, names.RESULT_STORE_SECRET: {STORE_FILE: True}}
    mounted = {str(volume["secret"].get("secretName")): volume for volume in _volumes(template) if volume.get("secret")}
    known |= {name: _OF_ASSETS for name, volume in mounted.items() if volume["name"] == names.PUBLICATION_VOLUME}
    return {name: known.get(name, {}) for name in mounted}


def judge_secret(name: str, files: Iterable[str] | None, wanted: Mapping[str, bool]) -> Line:
    """`files`: names only; None: no such Secret."""
    if files is None:
        return SECRETS.failure("missing", name, expected=f"files {listed(wanted)}" if wanted else "there")
    missing = set(wanted) - set(files)
    if required := [each for each in missing if wanted[each]]:
        return SECRETS.failure(f"without {listed(required)}", name, expected=f"files {listed(wanted)}")
    if missing:
        return SECRETS.warning(
            f"without {listed(missing)}",
            name,
            expected=f"files {listed(wanted)}",
            mend="jobs fail here whose inputs come from other providers; add the file, or do without such jobs",
        )
    return SECRETS.ok(f"files {listed(files)}", name)


def judge_keys(
    environment: str,
    *,
    announced_box: str,
    announced_address: str,
    box: str | None,
    address: str | None,
    accepted: Iterable[str],
    service: str | None,
) -> Line:
    """All are public. `box`, `address`: those that the Secret's private keys give, None for unusable or missing ones;
    `accepted`: lines of service.pub; `service`: this service's public key, None where it has none here."""
    if box is None:
        return KEYS.failure(f"{ENVIRONMENT_KEY_FILE} has no usable key", environment)
    if box != announced_box:
        return KEYS.failure(f"{ENVIRONMENT_KEY_FILE} does not belong to box-public-key", environment)
    if address is not None and address.lower() != announced_address.lower():
        return KEYS.failure(f"{ETHEREUM_KEY_FILE} does not belong to consumer-address", environment)
    if service is not None and service not in set(accepted):
        return KEYS.failure(f"{SERVICE_PUBLIC_FILE} does not have this service's key", environment)
    if service is None:
        return KEYS.ok("belong to each other; whether this service is accepted is not known here", environment)
    return KEYS.ok("belong to each other, and to this service", environment)


def judge_locks(unfinished: Sequence[Json], limits: Json | None) -> list[Line]:
    """Unfinished jobs that can never move again, one line for each environment that has some.

    A controller that starts while the key of a semaphore is missing gives up its lock for good, and says "poisoned".
    """
    data = (limits or {}).get("data") or {}
    stuck: dict[str, set[str]] = {}
    for job in unfinished:
        environment = str(job["metadata"]["labels"][names.ENVIRONMENT])
        status = job.get("status") or {}
        said = [status.get("message"), *(node.get("message") for node in (status.get("nodes") or {}).values())]
        if any("poisoned" in (text or "") for text in said):
            stuck.setdefault(environment, set()).add("their lock is poisoned")
        if environment not in data:
            stuck.setdefault(environment, set()).add("its key is missing")
    lines = [LOCKS.failure("; ".join(sorted(found)), environment) for environment, found in sorted(stuck.items())]
    return lines or [LOCKS.ok(f"none of {len(unfinished)} unfinished jobs")]


def judge_semaphores(templates: Sequence[Json], limits: Json | None) -> list[Line]:
    """`limits`: the ConfigMap of the semaphores; None: not there."""
    if limits is None:
        return [SEMAPHORES.failure(f"there is no ConfigMap {names.LIMITS_CONFIG_MAP}")]
    lines, data = [], limits.get("data") or {}
    for template in templates:
        name = _name(template)
        announced = (template["metadata"].get("annotations") or {}).get(names.MAX_JOBS, "1")
        found = data.get(name)
        if found is None:
            lines.append(SEMAPHORES.failure("no key", name, expected=announced))
        elif found.strip() == announced:
            lines.append(SEMAPHORES.ok(found, name, expected=announced))
        else:
            lines.append(SEMAPHORES.failure(found, name, expected=announced))
    return lines or [SEMAPHORES.not_checked("there is no environment")]


def judge_storage(templates: Sequence[Json], classes: Sequence[Json]) -> list[Line]:
    """One line for each class that some environment's volumes use."""
    by_name = {str(each["metadata"]["name"]): each for each in classes}
    defaults = [n for n, c in by_name.items() if (c["metadata"].get("annotations") or {}).get(_DEFAULT_CLASS) == "true"]
    used: dict[str | None, list[str]] = {}
    for template in templates:
        for claim in template["spec"].get("volumeClaimTemplates") or ():
            used.setdefault(claim["spec"].get("storageClassName"), []).append(_name(template))
    lines = []
    for name, environments in used.items():
        chosen = name or (defaults[0] if defaults else None)
        subject = f"{chosen or 'default'} ({listed(set(environments), most=3)})"
        if chosen is None:
            lines.append(STORAGE_CLASS.failure("there is no default class", subject))
        elif chosen not in by_name:
            lines.append(STORAGE_CLASS.failure("there is no such class", subject))
        elif by_name[chosen].get("volumeBindingMode") != "WaitForFirstConsumer":
            lines.append(STORAGE_CLASS.warning(by_name[chosen].get("volumeBindingMode") or "Immediate", subject))
        else:
            lines.append(STORAGE_CLASS.ok("WaitForFirstConsumer", subject))
    return lines or [STORAGE_CLASS.not_checked("there is no environment with a volume")]


def wanted_claims(templates: Iterable[Json]) -> set[str]:
    """Claims that some template's pods mount."""
    mounted = (volume.get("persistentVolumeClaim") for template in templates for volume in _volumes(template))
    return {str(claim["claimName"]) for claim in mounted if claim}


def judge_claim(name: str, claim: Json | None) -> Line:
    if claim is None:
        return CLAIM.failure("missing", name)
    modes, phase = claim["spec"].get("accessModes") or (), (claim.get("status") or {}).get("phase") or "unknown"
    if phase != "Bound":
        waits = CLAIM.warning(phase, name, mend="it may wait for its first pod; if it stays so, ask its events why")
        return waits if phase == "Pending" else CLAIM.failure(phase, name)
    if "ReadWriteMany" not in modes:
        return CLAIM.warning(f"Bound, {listed(modes)}", name, mend="it works on one node only")
    return CLAIM.ok("Bound, ReadWriteMany", name)


def _volumes(template: Json) -> Iterable[Json]:
    spec = template["spec"]
    yield from spec.get("volumes") or ()
    for step in spec.get("templates") or ():
        yield from step.get("volumes") or ()


def _name(template: Json) -> str:
    return str(template["metadata"]["name"])

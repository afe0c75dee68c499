"""Facts about the cluster and about Argo in it."""

from __future__ import annotations

import time
from collections.abc import Sequence
from functools import partial

from contract import names
from ocean.kit.together import together
from provider_api.doctor.checks.threads import in_thread
from provider_api.doctor.cluster import Cluster, Right
from provider_api.doctor.judging import admission, attempts, chains, controller, namespaces, networks, rights, versions
from provider_api.doctor.lines import Line
from provider_api.doctor.refusals import Forbidden
from provider_api.doctor.run import Check
from provider_api.doctor.surroundings import (
    CONTROLLER,
    CONTROLLER_CONFIG,
    EXECUTOR,
    RUNNER,
    NotCheckable,
    Surroundings,
)


async def _version(around: Surroundings) -> Sequence[Line]:
    version, _ = await in_thread(around.require_cluster().version)
    return [versions.judge_kubernetes(version)]


async def _clock(around: Surroundings) -> Sequence[Line]:
    before = time.time()
    _, server = await in_thread(around.require_cluster().version)
    if server is None:
        raise NotCheckable("the API server's answer has no date")
    here = (before + time.time()) / 2
    return [chains.judge_cluster_clock(_outside_second(here, server), around.options.clock_seconds)]


def _outside_second(here: float, server: float) -> float:
    """The header has whole seconds, cut off: the server's clock was somewhere in that second."""
    return max(here - server - 1, 0.0) + min(here - server, 0.0)


async def _kinds(around: Surroundings) -> Sequence[Line]:
    found = await in_thread(around.require_cluster().resources, "argoproj.io", "v1alpha1")
    return [versions.judge_kinds(found)]


async def _controller(around: Surroundings) -> Sequence[Line]:
    cluster = around.require_cluster()
    found = await in_thread(cluster.config_map, around.options.argo_namespace, CONTROLLER_CONFIG)
    try:
        config = controller.read_config(found)
    except controller.ConfigBroken as exc:
        unread = (controller.REFERENCING, controller.CONTEXT, controller.RESOURCES, controller.ARCHIVE_LOGS)
        return [
            controller.CONFIG.failure(str(exc)),
            *(item.not_checked("the controller's ConfigMap cannot be read") for item in unread),
        ]
    try:
        quota = bool(await in_thread(cluster.quotas, around.jobs))
    except Forbidden:
        quota = False  # one line is a warning then, not a failure; the others need not suffer
    return [
        controller.CONFIG.ok(f"{len(config)} keys"),
        controller.judge_referencing(config),
        controller.judge_context(config),
        controller.judge_resources(config, quota=quota),
        controller.judge_archive_logs(config),
    ]


async def _deployment(around: Surroundings) -> Sequence[Line]:
    found = await in_thread(around.require_cluster().deployment, around.options.argo_namespace, CONTROLLER)
    return [versions.judge_controller(controller.image_of(found)), controller.judge_requeue(found)]


async def _namespaces(around: Surroundings) -> Sequence[Line]:
    cluster, options = around.require_cluster(), around.options
    wanted = dict.fromkeys((around.jobs, options.service_namespace, options.argo_namespace))
    found = {name: await in_thread(cluster.namespace, name) for name in wanted}
    return [*namespaces.judge_namespaces(found), namespaces.judge_pod_security(found[around.jobs])]


async def _accounts(around: Surroundings) -> Sequence[Line]:
    cluster = around.require_cluster()
    found = {name: await in_thread(cluster.service_account, where, name) for name, where in around.accounts.items()}
    return namespaces.judge_accounts(found, runner=RUNNER)


async def _executor_token(around: Surroundings) -> Sequence[Line]:
    cluster = around.require_cluster()
    account = await in_thread(cluster.service_account, around.jobs, EXECUTOR)
    if account is None:
        raise NotCheckable(f"there is no service account {EXECUTOR}")
    name = namespaces.executor_token_name(account)
    secret = await in_thread(cluster.secret, around.jobs, name)
    return [namespaces.judge_executor_token(name, secret, account=EXECUTOR)]


async def _rights(around: Surroundings) -> Sequence[Line]:
    cluster, options = around.require_cluster(), around.options
    account = options.service_account
    needed = rights.needed(around.jobs, account)
    forbidden = rights.forbidden(around.jobs, account, options.service_namespace, options.argo_namespace)
    identity = await in_thread(cluster.identity)

    async def judged(name: str, where: str) -> list[Line]:
        ourselves = identity == f"system:serviceaccount:{where}:{name}"
        ask = partial(_ask, cluster, where, name, ourselves)
        may, must_not = await together(in_thread(ask, needed[name]), in_thread(ask, forbidden[name]))
        return [rights.judge_needed(name, may), rights.judge_forbidden(name, must_not)]

    found = await together(*(judged(name, where) for name, where in around.accounts.items()))
    return [line for lines in found for line in lines]


def _ask(
    cluster: Cluster, namespace: str, account: str, ourselves: bool, asked: Sequence[Right]
) -> dict[Right, bool | None]:
    return {right: cluster.may_we(right) if ourselves else cluster.may(namespace, account, right) for right in asked}


async def _admission(around: Surroundings) -> Sequence[Line]:
    policies, bindings = await in_thread(around.require_cluster().admission_policies)
    return [admission.judge_policies(policies, bindings)]


async def _attempts(around: Surroundings) -> Sequence[Line]:
    """As the service's account, by dry run: nothing is made."""
    cluster, jobs = around.require_cluster(), around.jobs
    user = f"system:serviceaccount:{around.options.service_namespace}:{around.options.service_account}"
    found = await in_thread(cluster.templates, jobs, names.ENVIRONMENT)
    environments = sorted(str(each["metadata"]["name"]) for each in found or ())
    if not environments:
        raise NotCheckable("there is no environment")
    environment = environments[0]

    def trial() -> Line:
        ours = cluster.try_workflow(jobs, attempts.job(environment), user)
        others = {
            name: cluster.try_workflow(jobs, workflow, user)
            for name, workflow in attempts.attempts(environment).items()
        }
        running = cluster.some_workflow(jobs, names.ENVIRONMENT)
        if running is not None:
            others |= {name: cluster.try_change(jobs, running, patch, user) for name, patch in attempts.CHANGES.items()}
        return attempts.judge_attempts(ours, others)

    return [await in_thread(trial)]


async def _policies(around: Surroundings) -> Sequence[Line]:
    cluster = around.require_cluster()
    policies = await in_thread(cluster.network_policies, around.jobs)
    return [
        networks.judge_policies(policies),
        networks.judge_api_server(policies, await in_thread(cluster.api_server_places)),
    ]


CHECKS = (
    Check((versions.KUBERNETES,), _version, speaks_for_cluster=True),
    Check((versions.CRDS,), _kinds),
    Check(
        (
            controller.CONFIG,
            controller.REFERENCING,
            controller.CONTEXT,
            controller.RESOURCES,
            controller.ARCHIVE_LOGS,
        ),
        _controller,
    ),
    Check((versions.CONTROLLER, controller.REQUEUE), _deployment),
    Check((namespaces.NAMESPACES, namespaces.POD_SECURITY), _namespaces),
    Check((namespaces.ACCOUNTS,), _accounts),
    Check((namespaces.EXECUTOR_TOKEN,), _executor_token),
    Check((rights.NEEDED, rights.FORBIDDEN), _rights),
    Check((admission.POLICY,), _admission),
    Check((attempts.ATTEMPTS,), _attempts),
    Check((networks.POLICIES, networks.API_SERVER), _policies),
    Check((chains.CLOCK_CLUSTER,), _clock),
)

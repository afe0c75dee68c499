"""The application: settings in, ASGI out. The lifespan opens the data folder and takes up what lies there."""

from __future__ import annotations

import contextlib
import hmac
import secrets
from collections.abc import AsyncIterator

import structlog
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from argo.local.errors import ApiError
from argo.local.pods.images import Images
from argo.local.pods.runtime import PodRuntime
from argo.local.pods.sandboxed import SandboxRuntime
from argo.local.private import private_folder
from argo.local.rest import logs, templates, watch, workflows
from argo.local.rest.answers import Server, refusal
from argo.local.settings import LocalArgoSettings
from argo.local.spec.library import TemplateLibrary
from argo.local.workflows.controller import Controller
from argo.local.workflows.store import Store
from contract.names import STEP_IMAGE
from ocean.kit.atomic import SECRET, make_file

log = structlog.get_logger(__name__)
_API = "/api/v1"


def read_token(settings: LocalArgoSettings) -> str:
    """The bearer token; made (random, mode 0600) where there is none yet."""
    path = settings.token_path
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    if not path.exists():
        make_file(path, secrets.token_urlsafe(32), mode=SECRET)
    token = path.read_text().strip()
    if not token:
        raise ValueError(f"the token file {path} is empty")
    return token


def sandbox_runtime(settings: LocalArgoSettings) -> SandboxRuntime:
    """The runtime that these settings ask for. Its `problem` says why sandboxes do not work, "" if they do."""
    images = Images.default(
        step=settings.step_image or STEP_IMAGE,
        folders=settings.images,
        register=settings.image_register,
        machine=settings.machine_images,
        without_sandbox=settings.unsandboxed_images,
    )
    runtime = SandboxRuntime(images, isolation=settings.isolation)
    runtime.probe()
    if runtime.problem:
        log.warning("sandboxes_not_available", problem=runtime.problem)
    return runtime


def create_app(settings: LocalArgoSettings, runtime: PodRuntime | None = None) -> Starlette:
    """`runtime`: default, the sandboxes that the settings ask for (probed when the application starts)."""

    @contextlib.asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        private_folder(settings.data)
        with Store(settings.data) as store:
            pods = runtime or sandbox_runtime(settings)
            for folder in settings.claims.values():
                pods.prepare_volume(folder, shared=True)
            library = TemplateLibrary(settings.templates, settings.namespace)
            controller = Controller(settings, store, library, pods)
            app.state.server = Server(settings, store, library, controller)
            await controller.open()
            try:
                yield
            finally:
                await controller.close()

    at = _API + "/workflows/{namespace}"
    archived = _API + "/archived-workflows"
    routes = [
        Route(at, workflows.create, methods=["POST"]),
        Route(at, workflows.list_workflows, methods=["GET"]),
        Route(at + "/{name}", workflows.get, methods=["GET"]),
        Route(at + "/{name}", workflows.delete, methods=["DELETE"]),
        Route(at + "/{name}/stop", workflows.stop, methods=["PUT"]),
        Route(at + "/{name}/terminate", workflows.terminate, methods=["PUT"]),
        Route(at + "/{name}/resume", workflows.resume, methods=["PUT"]),
        Route(at + "/{name}/log", logs.log, methods=["GET"]),
        Route(at + "/{name}/{pod}/log", logs.log, methods=["GET"]),
        Route(_API + "/workflow-events/{namespace}", watch.watch, methods=["GET"]),
        Route(_API + "/workflow-templates/{namespace}", templates.list_templates, methods=["GET"]),
        Route(_API + "/workflow-templates/{namespace}/{name}", templates.get_template, methods=["GET"]),
        Route(archived, templates.list_archived, methods=["GET"]),
        Route(archived + "/{uid}", templates.no_archived, methods=["GET", "DELETE"]),
        Route(_API + "/version", templates.version, methods=["GET"]),
        Route(_API + "/info", templates.info, methods=["GET"]),
        Route(_API + "/userinfo", templates.user_info, methods=["GET"]),
    ]
    return Starlette(
        routes=routes,
        lifespan=lifespan,
        middleware=[Middleware(BearerToken, token=read_token(settings))],
        exception_handlers={ApiError: _refused, HTTPException: _unknown, Exception: _failed},
    )


class BearerToken:
    """Nobody gets further without the token. Compared in constant time."""

    def __init__(self, app: ASGIApp, token: str) -> None:
        self._app, self._token = app, token.encode()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and not self._known(scope):
            error = ApiError(401, "token not valid. see https://argo-workflows.readthedocs.io/en/release-4.1/faq/")
            await refusal(error)(scope, receive, send)
            return
        await self._app(scope, receive, send)

    def _known(self, scope: Scope) -> bool:
        for name, value in scope["headers"]:
            if name == b"authorization":
                kind, _, token = value.partition(b" ")
                return kind.lower() == b"bearer" and hmac.compare_digest(token.strip(), self._token)
        return False


async def _refused(request: Request, exc: Exception) -> Response:
    assert isinstance(exc, ApiError)  # noqa: S101  (registered for it)
    return refusal(exc)


async def _unknown(request: Request, exc: Exception) -> Response:
    """An unknown path or method, as Argo's gateway answers it."""
    return refusal(ApiError(501, "Not Implemented"))


async def _failed(request: Request, exc: Exception) -> Response:
    log.error("request_failed", path=request.url.path, error=type(exc).__name__)
    return refusal(ApiError(500, "internal error"))

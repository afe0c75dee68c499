"""A fake Kubernetes API server: real HTTP on loopback, answers from files, rights worked out from Roles.

    with FakeCluster(answers, changes) as cluster:
        ... cluster.kubeconfig(path), cluster.requests, cluster.jobs

`answers`: path -> document, as GET returns it. `changes`: what is different, by path: a JSON merge patch, or None for
404, or {"$status": 403}. Jobs of the doctor's probe get a pod whose message is `reached`, by the value of its network
label; without one there it stays Pending.
"""

from __future__ import annotations

import copy
import json
import sys
import threading
import time
from collections.abc import Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from urllib.parse import parse_qs, urlsplit

from tests.support.admission import refusals

Json = dict[str, Any]
NETWORK = "c2d.oceanprotocol.com/network"
ADMIN = "kubernetes-admin"
_ADMISSION = "/apis/admissionregistration.k8s.io/v1"


def read_answers(folder: Path) -> dict[str, Json]:
    """Files by the path that they answer."""
    return {
        f"/{path.relative_to(folder).with_suffix('').as_posix()}": json.loads(path.read_text())
        for path in sorted(folder.rglob("*.json"))
    }


def merged(document: Any, patch: Any) -> Any:
    """RFC 7386; a list is replaced whole."""
    if not isinstance(patch, dict):
        return patch
    found = dict(document) if isinstance(document, dict) else {}
    for key, value in patch.items():
        if value is None:
            found.pop(key, None)
        else:
            found[key] = merged(found.get(key), value)
    return found


class FakeCluster:
    def __init__(self, answers: Mapping[str, Json], changes: Mapping[str, Any] | None = None) -> None:
        self.answers: dict[str, Any] = copy.deepcopy(dict(answers))
        for path, change in (changes or {}).items():
            self.answers[path] = None if change is None else merged(self.answers.get(path), change)
        self.identity = ADMIN
        self.forbidden: tuple[str, ...] = ()  # beginnings of paths
        self.hanging: tuple[str, ...] = ()
        self.garbled: tuple[str, ...] = ()
        self.clock_seconds = 0.0  # how far its clock is ahead
        self.reached: dict[str, Json] = {}
        self.jobs: dict[str, Json] = {}
        self.made: list[Json] = []  # every Job that was ever created
        self.requests: list[tuple[str, str]] = []
        self.token = ""

    def __enter__(self) -> Self:
        cluster = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True

            def handle_one(self) -> None:
                cluster._serve(self)

            do_GET = do_POST = do_PATCH = do_DELETE = handle_one

            def date_time_string(self, timestamp: float | None = None) -> str:
                return super().date_time_string(time.time() + cluster.clock_seconds)

            def log_message(self, format: str, *args: Any) -> None:
                return

        self._server = _Server(("127.0.0.1", 0), Handler)
        self._ended = threading.Event()
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ended.set()
        self._server.shutdown()
        self._server.server_close()

    def kubeconfig(self, path: Path) -> Path:
        """Two contexts: `here`, the current one, and `nowhere`, where nobody listens."""
        port = self._server.server_address[1]
        clusters = {"here": f"http://127.0.0.1:{port}", "nowhere": "http://127.0.0.1:9"}
        document = {
            "apiVersion": "v1",
            "kind": "Config",
            "current-context": "here",
            "clusters": [{"name": name, "cluster": {"server": url}} for name, url in clusters.items()],
            "users": [{"name": "user", "user": {"token": self.token}}],
            "contexts": [{"name": name, "context": {"cluster": name, "user": "user"}} for name in clusters],
        }
        path.write_text(json.dumps(document))
        return path

    # --- requests ----------------------------------------------------------------------------------------------------

    def _serve(self, request: BaseHTTPRequestHandler) -> None:
        parts = urlsplit(request.path.replace("/version/", "/version"))
        length = int(request.headers.get("Content-Length") or 0)
        content = request.rfile.read(length)
        if len(content) < length:
            raise ConnectionError("the client has gone")
        body = json.loads(content or "{}")
        self.requests.append((request.command, parts.path))
        if parts.path.startswith(self.hanging):
            self._ended.wait(60)
        status, document = self._answer(request, parts.path, parse_qs(parts.query), body)
        content = b"<html>" if parts.path.startswith(self.garbled) else json.dumps(document).encode()
        request.send_response(status)
        request.send_header("Content-Type", "application/json")
        request.send_header("Content-Length", str(len(content)))
        request.end_headers()
        request.wfile.write(content)

    def _answer(
        self, request: BaseHTTPRequestHandler, path: str, query: Mapping[str, list[str]], body: Json
    ) -> tuple[int, Json]:
        if request.headers.get("Authorization") != f"Bearer {self.token}":
            return _status(401, "Unauthorized", "Unauthorized")
        user = request.headers.get("Impersonate-User") or self.identity
        if path.startswith(self.forbidden) or (user != self.identity and "impersonation" in self.forbidden):
            text = f'resource is forbidden: User "{self.identity}" cannot do that: {path}'
            return _status(403, "Forbidden", text)
        if path.startswith("/apis/authentication.k8s.io/"):
            return 201, {"kind": "SelfSubjectReview", "status": {"userInfo": {"username": user}}}
        if path.startswith("/apis/authorization.k8s.io/"):
            asked = body["spec"]["resourceAttributes"]
            allowed = self._allowed(body["spec"].get("user", user), asked)
            return 201, {**body, "status": {"allowed": allowed}}
        if path.startswith("/apis/batch/v1/") or path.endswith("/pods"):
            return self._job(request.command, path, query, body)
        if "/workflows" in path and request.command in ("POST", "PATCH"):
            old = self.answers.get(path) if request.command == "PATCH" else None
            return self._dry_run(user, path, query, body, old)
        found = self.answers.get(path)
        if found is None:
            return _status(404, "NotFound", f"{path} not found")
        if "$status" in found:
            return _status(found["$status"], "InternalError", "no")
        return 200, found

    def _allowed(self, user: str, asked: Json) -> bool:
        """RBAC: rules of all Roles that are bound to a service account in the namespace of the request."""
        if not user.startswith("system:serviceaccount:"):
            return user == ADMIN
        _, _, namespace, name = user.split(":")
        base = f"/apis/rbac.authorization.k8s.io/v1/namespaces/{asked.get('namespace', '')}"
        roles = {role["metadata"]["name"]: role for role in self._items(f"{base}/roles")}
        wanted = asked["resource"] + (f"/{asked['subresource']}" if asked.get("subresource") else "")
        return any(
            {asked.get("group", ""), "*"} & set(rule["apiGroups"])
            and {wanted, "*"} & set(rule["resources"])
            and {asked["verb"], "*"} & set(rule["verbs"])
            for binding in self._items(f"{base}/rolebindings")
            if {"kind": "ServiceAccount", "name": name, "namespace": namespace} in binding["subjects"]
            for rule in roles[binding["roleRef"]["name"]]["rules"]
        )

    def _dry_run(
        self, user: str, path: str, query: Mapping[str, list[str]], body: Json, old: Json | None
    ) -> tuple[int, Json]:
        """What our admission policy says, where one is bound with Deny; nothing else looks at workflows."""
        if query.get("dryRun") != ["All"]:
            raise AssertionError(f"{path}: a workflow would have been made or changed")
        bindings = self._items(f"{_ADMISSION}/validatingadmissionpolicybindings")
        policies = self._items(f"{_ADMISSION}/validatingadmissionpolicies")
        denied = policies and any("Deny" in each["spec"]["validationActions"] for each in bindings)
        new = body if old is None else merged(old, body)
        messages = refusals(new, old, by=user) if denied else []
        if messages:
            text = f"workflows is forbidden: ValidatingAdmissionPolicy 'c2d-jobs' denied request: {messages[0]}"
            return _status(422, "Invalid", text)
        return (201 if old is None else 200), new

    def _items(self, path: str) -> list[Json]:
        return list((self.answers.get(path) or {}).get("items") or ())

    def _job(self, method: str, path: str, query: Mapping[str, list[str]], body: Json) -> tuple[int, Json]:
        if method == "POST":
            self.jobs[body["metadata"]["name"]] = body
            self.made.append(body)
            return 201, body
        if method == "DELETE":
            found = self.jobs.pop(path.rpartition("/")[2], None)
            return (200, {"kind": "Status", "status": "Success"}) if found else _status(404, "NotFound", "not found")
        _, _, name = query["labelSelector"][0].partition("=")
        return 200, {"kind": "PodList", "apiVersion": "v1", "metadata": {}, "items": [self._pod(self.jobs[name])]}

    def _pod(self, job: Json) -> Json:
        template = job["spec"]["template"]
        told = self.reached.get(template["metadata"]["labels"][NETWORK])
        if told is None:
            waiting = {"name": "main", "state": {"waiting": {"reason": "ImagePullBackOff"}}}
            return {**template, "status": {"phase": "Pending", "containerStatuses": [waiting]}}
        ended = {"exitCode": 0, "reason": "Completed", "message": json.dumps(told)}
        return {
            **template,
            "status": {
                "phase": "Succeeded",
                "containerStatuses": [{"name": "main", "state": {"terminated": ended}}],
            },
        }


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that has gone is no error of ours."""
        if not isinstance(sys.exc_info()[1], ConnectionError):
            super().handle_error(request, client_address)


def _status(code: int, reason: str, message: str) -> tuple[int, Json]:
    document = {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure"}
    return code, {**document, "message": message, "reason": reason, "code": code}

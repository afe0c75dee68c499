"""From a node and its template to a pod on this machine: what it runs and sees, what must be made first.

| Kubernetes | here |
| --- | --- |
| volumeClaimTemplates | DIR/volumes/<workflow>-<claim> |
| secret volume | a copy of DIR/secrets/<name>/ for this pod alone, gone when the pod has ended |
| persistentVolumeClaim | a folder that the operator has registered under the claim's name |
| a root that may be written | the sandbox's own; an image's files stay. Its size: what the limit of ephemeral-storage |
| | leaves beside the sizes of the pod's emptyDirs |
| emptyDir | a folder of the pod; at /tmp without an output in it: the sandbox's own /tmp of that size |
| raw artifact | a file of the pod, read-only |
| output parameter outside every volume | its folder is a folder of the pod |
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePosixPath
from typing import Final

from argo.local.engine.node import Node
from argo.local.engine.pods import deadline
from argo.local.engine.state import Run
from argo.local.pods.runtime import Container, Limits, Mount, PodSpec, VolumeLimit
from argo.local.settings import LocalArgoSettings
from argo.local.spec import model, quantities
from argo.local.spec.check import pod_patch, scratch_bytes
from argo.local.spec.substitution import UnknownTag, substitute, tags
from contract.names import NETWORK

# Networks that a template may give its pods; the value must stand in the template itself, not come from an argument.
OWN_NETWORKS: Final = frozenset({"outgoing", "store", "chain"})
PUBLIC: Final = "public"  # an algorithm's; also from an argument, and only where the operator allows it


class PodImpossible(Exception):
    """This pod can never be made; the text becomes the node's message."""


class PodPending(Exception):
    """Something is missing that may still come; the text becomes the node's message."""


@dataclass(frozen=True, slots=True)
class Output:
    """Where an output parameter's file lies on this machine: below `root`, without following links."""

    name: str
    root: Path
    relative: str
    path: str  # in the pod
    default: str | None


@dataclass(slots=True)
class PodPlan:
    spec: PodSpec
    folder: Path  # the runtime's
    files_folder: Path  # everything below that was made for this pod alone
    folders: list[Path] = field(default_factory=list)  # writable ones below files_folder
    files: dict[Path, str] = field(default_factory=dict)
    secrets: dict[Path, Path] = field(default_factory=dict)  # copy -> source folder
    subfolders: list[tuple[Path, str]] = field(default_factory=list)  # (volume, sub-path)
    outputs: list[Output] = field(default_factory=list)


class Places:
    """Where things lie in the data folder."""

    def __init__(self, settings: LocalArgoSettings) -> None:
        self.settings = settings
        self.pods, self.files = settings.data / "pods", settings.data / "files"
        self.volumes = settings.data / "volumes"

    def plan(self, run: Run, node: Node) -> PodPlan:
        """Raises PodImpossible, PodPending. Touches nothing but the secrets folder (to see what is there)."""
        template = run.spec.template(node.template)
        name = run.pod(node)
        scope = run.scope() | {f"inputs.parameters.{key}": value for key, value in node.inputs.items()}
        scope |= {"pod.name": name, "node.name": node.name}
        try:
            return _Planner(self, run, template, name, scope).plan()
        except (UnknownTag, ValueError) as exc:
            raise PodImpossible(str(exc)) from exc


class _Planner:
    def __init__(self, places: Places, run: Run, template: model.Template, name: str, scope: Mapping[str, str]) -> None:
        self.places, self.run, self.template, self.name, self.scope = places, run, template, name, scope
        self.own = places.files / name
        volumes = (*run.spec.volumes, *template.volumes)
        self.volumes = {volume.name: volume for volume in volumes}
        self.tmp_bytes = Limits().tmp_bytes
        self.made = PodPlan(PodSpec(name, Container("", (), {}, ())), places.pods / name, self.own)

    def plan(self) -> PodPlan:
        template, container = self.template, self.template.container
        assert container is not None  # noqa: S101  (only pods are planned)
        mounts = self._mounts(container)
        outputs = self._outputs(mounts)
        init = tuple(
            self._container(each, [*self._mounts(each), *(mounts if each.mirror_volume_mounts else [])])
            for each in template.init_containers
        )
        for artifact in template.inputs.artifacts:
            file = self.own / "inputs" / artifact.name
            self.made.files[file] = substitute(artifact.raw.data, self.scope)
            mounts.append(Mount(file, artifact.path, read_only=True))
        patch = pod_patch(template.pod_spec_patch or self.run.spec.pod_spec_patch)
        memory = container.resources.limits.get("memory")
        limits = Limits(tmp_bytes=self.tmp_bytes, scratch_bytes=scratch_bytes(container, self.volumes.values()))
        if memory is not None:
            limits = replace(limits, memory_bytes=int(quantities.quantity(memory)))
        self.made.spec = PodSpec(
            name=self.name,
            main=self._container(container, mounts),
            init=init,
            network=self._network(),
            volumes=tuple(self._volume_limits()),
            limits=limits,
            deadline_seconds=deadline(template, self.scope),
            grace_seconds=float(patch.termination_grace_period_seconds),
        )
        self.made.outputs = outputs
        return self.made

    def _volume_limits(self) -> Iterator[VolumeLimit]:
        """Of the workflow's own volumes, and of the pod's folders, as far as the manifest names a size."""
        for claim in self.run.spec.volume_claim_templates:
            resources = claim.spec.get("resources")
            requests = resources.get("requests") if isinstance(resources, dict) else None
            size = requests.get("storage") if isinstance(requests, dict) else None
            if size is not None:
                name = claim.metadata["name"]
                path = self.places.volumes / f"{self.run.name}-{name}"
                yield VolumeLimit(path, int(quantities.quantity(size)), name, str(size))
        for volume in self.volumes.values():
            folder = self.own / "empty" / volume.name
            size = volume.empty_dir.size_limit if volume.empty_dir is not None else None
            if size is not None and folder in self.made.folders:
                yield VolumeLimit(folder, int(quantities.quantity(size)), volume.name, str(size))

    def _container(self, container: model.Container, mounts: list[Mount]) -> Container:
        def text(value: str) -> str:
            return substitute(value, self.scope)

        return Container(
            image=text(container.image),
            command=tuple(text(word) for word in (*container.command, *container.args)),
            env={item.name: text(item.value) for item in container.env},
            mounts=tuple(mounts),
            working_dir=container.working_dir,
        )

    def _network(self) -> bool:
        label = {**self.run.spec.pod_metadata.labels, **self.template.metadata.labels}.get(NETWORK, "")
        if substitute(label, self.scope) == PUBLIC:
            return self.places.settings.allow_network
        return label in OWN_NETWORKS and not list(tags(label))

    def _mounts(self, container: model.Container) -> list[Mount]:
        found = [self._mount(mount) for mount in container.volume_mounts]
        return [mount for mount in found if mount is not None]

    def _mount(self, mount: model.VolumeMount) -> Mount | None:
        target = substitute(mount.mount_path, self.scope)
        sub_path = substitute(mount.sub_path, self.scope).strip("/")
        claims = {claim.metadata["name"]: claim for claim in self.run.spec.volume_claim_templates}
        read_only = mount.read_only
        if mount.name in claims:
            source = self.places.volumes / f"{self.run.name}-{mount.name}"
        else:
            volume = self.volumes[mount.name]
            if volume.secret is not None:
                source, read_only = self._secret(volume.name, volume.secret), True
            elif volume.persistent_volume_claim is not None:
                source = self._claim(volume.persistent_volume_claim.claim_name)
                read_only = read_only or volume.persistent_volume_claim.read_only
            elif volume.empty_dir is not None:
                if self._is_private_tmp(target, sub_path, volume.empty_dir):
                    return None
                source = self.own / "empty" / volume.name
                self._folder(source)
            else:
                raise PodImpossible(f"volume {volume.name} has no source that is supported by this server")
        if sub_path:
            if ".." in sub_path.split("/"):
                raise PodImpossible(f"the sub-path of volume {mount.name} leads out of it")
            self.made.subfolders.append((source, sub_path))
            source = source / sub_path
        return Mount(source, target, read_only)

    def _is_private_tmp(self, target: str, sub_path: str, volume: model.EmptyDir) -> bool:
        if target != "/tmp" or sub_path or any(self._inside(path, "/tmp") for path in self._output_paths()):  # noqa: S108
            return False
        if volume.size_limit is not None:
            self.tmp_bytes = int(quantities.quantity(volume.size_limit))
        return True

    def _folder(self, path: Path) -> None:
        if path not in self.made.folders:
            self.made.folders.append(path)

    def _secret(self, volume: str, secret: model.SecretVolume) -> Path:
        source, copy = self.places.settings.secrets_folder / secret.secret_name, self.own / "secrets" / volume
        if not source.is_dir():
            if not secret.optional:
                raise PodPending(f'CreateContainerConfigError: secret "{secret.secret_name}" not found')
            self._folder(copy)
        else:
            self.made.secrets[copy] = source
        return copy

    def _claim(self, name: str) -> Path:
        folder = self.places.settings.claims.get(name)
        if folder is None:
            raise PodPending(f'Unschedulable: persistentvolumeclaim "{name}" not found')
        return folder

    def _output_paths(self) -> list[str]:
        return [item.value_from.path for item in self.template.outputs.parameters]

    @staticmethod
    def _inside(path: str, folder: str) -> bool:
        return PurePosixPath(path).is_relative_to(folder)

    def _outputs(self, mounts: list[Mount]) -> list[Output]:
        """Adds a folder of the pod to `mounts` for each output that lies outside of them."""
        found = []
        for item in self.template.outputs.parameters:
            path = item.value_from.path
            holding = [mount for mount in mounts if self._inside(path, mount.target)]
            if not holding:
                parent = str(PurePosixPath(path).parent)
                folder = self.own / "outputs" / parent.strip("/").replace("/", "-")
                self._folder(folder)
                holding = [Mount(folder, parent, read_only=False)]
                mounts += holding
            mount = max(holding, key=lambda each: len(each.target))
            relative = str(PurePosixPath(path).relative_to(mount.target))
            default = item.value_from.default
            default = None if default is None else substitute(default, self.scope)
            found.append(Output(item.name, mount.source, relative, path, default))
        return found

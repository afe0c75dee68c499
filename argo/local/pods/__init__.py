"""Pods on one machine. `SandboxRuntime` runs them; `Images` says with what; `trees` handles what they wrote."""

from argo.local.pods.images import Image, Images
from argo.local.pods.runtime import SandboxRuntime
from argo.local.pods.trees import NotPlain, read_file, remove_tree, subfolder

__all__ = ["Image", "Images", "NotPlain", "SandboxRuntime", "read_file", "remove_tree", "subfolder"]

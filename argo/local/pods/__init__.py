"""Pods on one machine. `SandboxRuntime` runs them; `Images` says with what; `trees` handles what they wrote.

What its caller has to know:

* Paths given to it (`Mount.source`, folders of pods and volumes) are absolute and free of links: resolve the data
  folder and claims once. A source that is missing or leads through a link is refused with OSError.
* As root, a pod runs as the owner of the first of its mounts (writable ones first) that belongs to a spare user id:
  call `prepare_volume` before the pod starts and give what is made below a volume the volume's owner. A read-only
  source that is closed to everybody but root (a Secret, an artifact) is copied into memory of the pod.
* `prepare_volume(path, shared=True)` is for folders that pods of several volumes write to; close its parent to others.
* No live Unix socket may lie in a mounted folder: sockets by path cross the network namespace, read-only or not.
* The folder of pods is closed to others (0700): plans hold the pods' environment.
"""

from argo.local.pods.images import Image, Images
from argo.local.pods.sandboxed import SandboxRuntime
from argo.local.pods.trees import NotPlain, read_file, remove_tree, subfolder

__all__ = ["Image", "Images", "NotPlain", "SandboxRuntime", "read_file", "remove_tree", "subfolder"]

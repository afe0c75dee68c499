"""How Argo names nodes and pods. The name of a node's pod stands in no field of the workflow.

Argo's rule (pod name format v2): the workflow's name, the template's name and a 32-bit FNV-1a hash of the node's *name*
(not its display name). The hash with the workflow's name alone is the node's id.
"""

from __future__ import annotations

from typing import Final

_LONGEST_PREFIX: Final = 242  # 253 for a Kubernetes name, less the hash and its dash


def pod_name(workflow: str, template: str, node_name: str) -> str:
    """`workflow`-`template`-`hash`; a node that bears the workflow's own name has a pod of that name."""
    if node_name == workflow:
        return workflow
    return f"{f'{workflow}-{template}'[:_LONGEST_PREFIX]}-{fnv1a(node_name)}"


def node_id(workflow: str, node_name: str) -> str:
    """The key of a node in the workflow's status."""
    return workflow if node_name == workflow else f"{workflow}-{fnv1a(node_name)}"


def fnv1a(text: str) -> int:
    """FNV-1a, 32 bits, of the UTF-8 bytes."""
    value = 2166136261
    for byte in text.encode():
        value = (value ^ byte) * 16777619 & 0xFFFFFFFF
    return value

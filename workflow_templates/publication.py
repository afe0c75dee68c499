"""What an environment gets whose results may become new assets: facts and key of a Secret, for publishing alone.

A change of a finished manifest, not of the Hera program, because a deployment may make it too: `c2d serve` adds it to
the rendered environments, which do not know its development chain.
"""

from __future__ import annotations

from typing import Any, Final

from contract import names
from workflow_templates.parts import Publication

FACTS: Final = "/c2d/publication"  # a Secret
NETWORK: Final = "chain"


def add_publication(manifest: dict[str, Any], publication: Publication) -> None:
    """Change the manifest of an environment in place.

    `{{workflow.status}}` in an exit handler is how the entrypoint ended, by Argo's own account: an algorithm has no say
    in it.
    """
    manifest["metadata"].setdefault("annotations", {})[names.PUBLICATION_CHAIN] = str(publication.chain_id)
    (step,) = (each for each in manifest["spec"]["templates"] if each["name"] == names.PUBLISHING)
    step["metadata"]["labels"][names.NETWORK] = NETWORK
    step["volumes"].append(
        {"name": names.PUBLICATION_VOLUME, "secret": {"defaultMode": 0o440, "secretName": publication.secret}},
    )
    container = step["container"]
    container["volumeMounts"].append({"mountPath": FACTS, "name": names.PUBLICATION_VOLUME, "readOnly": True})
    if any(mount["name"] == names.RESULTS_VOLUME for mount in container["volumeMounts"]):
        # Outputs that become an asset stay when the job's own folder goes: `results.object_names.asset_folder`.
        folder = "asset-{{workflow.name}}"
        container["volumeMounts"].append(
            {"mountPath": f"/results/{folder}", "name": names.RESULTS_VOLUME, "subPath": folder}
        )
    container["env"] += [
        {"name": "C2D_PUBLICATION", "value": FACTS},
        {"name": "C2D_PUBLICATION_CHAIN", "value": str(publication.chain_id)},
        {"name": "C2D_COMPUTE_ENDED", "value": "{{workflow.status}}"},
        {"name": "C2D_PUBLISHING_SECONDS", "value": str(step["activeDeadlineSeconds"])},
    ]

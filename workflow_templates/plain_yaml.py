"""YAML for files that people read and compare: no anchors, one line for each value, keys in their order."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import yaml


def plain_yaml(document: Mapping[str, Any]) -> str:
    """Every part can be read on its own: what stands in two places is written twice."""
    return yaml.dump(dict(document), Dumper=_Plain, sort_keys=False, default_flow_style=False, width=1000)


class _Plain(yaml.SafeDumper):
    def ignore_aliases(self, data: Any) -> bool:
        return True

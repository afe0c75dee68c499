"""Releases of Argo Workflows that this project works with, and what they do otherwise than the newest of them.

Whatever depends on Argo's version asks here: rendering, `c2d doctor`, the embedded server, the tests against a real
Argo, and the pages (a test compares them). Measured on running servers.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True)
class ArgoRelease:
    """One release, `4.1`, and the version of it that was tried, `v4.1.2`."""

    name: str
    tried: str
    # A template's `pendingTimeout` is known: a pod that never starts is given up. Else it waits for its deadline.
    pending_timeout: bool = True
    # A stopped workflow stays unfinished until its exit handler has run. Else it is finished at once; sometimes its
    # exit handler still ends well and is heard, sometimes its pod is ended with the rest.
    stop_waits_for_exit_handler: bool = True
    # A workflow that waits for a semaphore ends when it is stopped. Else it waits on, and ends when it gets its place.
    stops_what_waits: bool = True
    # Controller and server connect to the archive's database again after it was away for more than some seconds. Else
    # they have to be restarted (argo-workflows 16771).
    connects_to_archive_again: bool = False

    @property
    def differences(self) -> tuple[str, ...]:
        """Each as part of a sentence, for people."""
        return (
            *(() if self.pending_timeout else ("an image that is missing is noticed only at the pod's deadline",)),
            *(() if self.stop_waits_for_exit_handler else ("a stopped job may end without its results",)),
            *(() if self.stops_what_waits else ("a stopped job that waits for its place goes on waiting",)),
            *(("it connects to its archive's database again by itself",) if self.connects_to_archive_again else ()),
        )


RELEASES: Final = (
    ArgoRelease(
        "4.0",
        "v4.0.5",
        pending_timeout=False,
        stop_waits_for_exit_handler=False,
        stops_what_waits=False,
        connects_to_archive_again=True,
    ),
    ArgoRelease("4.1", "v4.1.2"),
)
NEWEST: Final = RELEASES[-1]


def release_of(version: str) -> ArgoRelease | None:
    """The release that a version belongs to, `v4.1.2` to `4.1`; None: another one, or no version."""
    match = re.match(r"v?([0-9]+\.[0-9]+)(\.|$)", version)
    return next((release for release in RELEASES if match and release.name == match[1]), None)

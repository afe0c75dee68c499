"""bubblewrap's options for one container, from the plan. The command is not among them: it alone is visible inside."""

from __future__ import annotations

TYPE_CHECKING = False  # `typing` costs more time than all the rest of the watcher
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any


SHARED_MEMORY_BYTES = 64 << 20
ROOT_BYTES = 1 << 20  # mount points and nothing else

# Runs inside as the first program: nothing starts before the watcher has noted the pod and answered. It says "ready",
# waits for the word, and becomes the program. 64 and the text are those of Argo's own wrapper.
GATE = (
    'echo r >&0; read -r go || exit 125; command -v -- "$1" >/dev/null 2>&1 || { '
    'echo "failed to find name in PATH: exec: \\"$1\\": executable file not found in \\$PATH" >&2; exit 64; }; '
    'exec "$@" </dev/null'
)


def options(
    plan: dict[str, Any],
    container: dict[str, Any],
    *,
    source: Callable[[str], str],
    data: Callable[[str], int],
    seccomp: int,
    status: int,
    root: str = "",
) -> list[str]:
    """`source`: where bubblewrap finds a source path. `data`: a descriptor that holds the given text. `root`: a
    writable root with all mount points, if one was laid (layers.py).
    """
    limits, inside = plan["limits"], container["inside"]
    words = ["--unshare-user", "--unshare-ipc", "--unshare-pid", "--unshare-uts", "--unshare-cgroup-try"]
    if not plan["network"]:
        words.append("--unshare-net")
    words += ["--disable-userns", "--uid", "1000", "--gid", "1000", "--hostname", "pod", "--new-session"]
    words += ["--die-with-parent", "--cap-drop", "ALL", "--clearenv"]
    for name, value in container["env"].items():
        words += ["--setenv", name, value]
    scratch = limits.get("scratch_bytes", 0)  # (plans of older versions have none)
    if root:
        words += ["--bind", root, "/"]
    else:
        words += ["--size", str(ROOT_BYTES + scratch), "--tmpfs", "/", "--perms", "0755", "--dir", "/etc"]
    words += ["--size", str(limits["tmp_bytes"]), "--perms", "1777", "--tmpfs", "/tmp"]  # noqa: S108  (inside)
    # Outer folders first, so that none covers an inner one: the project may lie below /tmp, and /tmp may be a mount.
    places = [(target, "--ro-bind", origin) for origin, target, _trusted in inside["binds"]]
    places += [(target, "--ro-bind" if ro else "--bind", origin) for origin, target, ro in inside["mounts"]]
    for target, option, origin in sorted(places, key=lambda place: place[0].count("/")):
        words += [option, source(origin), target]
    for text, target in inside["links"]:
        words += ["--symlink", text, target]
    for target, text in inside["files"].items():
        words += ["--perms", "0444", "--ro-bind-data", str(data(text)), target]
    words += ["--proc", "/proc", "--dev", "/dev"]
    words += ["--size", str(SHARED_MEMORY_BYTES), "--perms", "1777", "--tmpfs", "/dev/shm"]  # noqa: S108
    words += ["--seccomp", str(seccomp), "--json-status-fd", str(status)]
    read_only = ["/dev"] if scratch else ["/dev", "/"]
    return [*words, *(word for path in read_only for word in ("--remount-ro", path)), "--chdir", container["cwd"]]

"""What other packages do to a process while they are imported, mended before anything else of ours is.

* `py_ecc`, which `eth_account` brings along, raises Python's recursion limit to 100,000. From then on a request of
  100 kB of opening brackets overflows the C stack of the JSON parser and kills the process. So it is imported here,
  first, and the limit is put back to Python's own.
* `eth_keyfile`, which `eth_account` brings along too, imports `py_ecc.bls`. That computes pairings of the curve
  BLS12-381 meanwhile, three quarters of a second of CPU in each of our processes, for keystores of Ethereum's
  validators. These two modules are empty until somebody uses them.
* `httpx` imports its own command line, and `rich` and `pygments` with it, where these are installed.
"""

from __future__ import annotations

import sys
from contextlib import suppress
from importlib.util import find_spec, module_from_spec
from typing import Any, Final

RECURSION_LIMIT: Final = 1000
# What eth_keyfile reads while it is imported: the order of BLS12-381's groups (draft-irtf-cfrg-bls-signature).
_CURVE_ORDER: Final = 0x73EDA753299D7D483339D80809A1D80553BDA402FFFE5BFEFFFFFFFF00000001


def mend() -> None:
    """Do all of it. Does nothing to modules that are there already, nor where a package is not installed."""
    with suppress(ImportError):
        import py_ecc  # noqa: F401  only for its side effect, which thus cannot come later

        _put_off("py_ecc.bls", G2ProofOfPossession=_PutOff("py_ecc.bls", "G2ProofOfPossession"))
        _put_off("py_ecc.bls12_381", curve_order=_CURVE_ORDER)
    if sys.getrecursionlimit() >= 100_000:
        sys.setrecursionlimit(RECURSION_LIMIT)
    sys.modules.setdefault("httpx._main", None)  # type: ignore[arg-type]  # httpx goes on without, as where rich is absent


class _PutOff:
    """An object of a module that was put off; the module is loaded when the object is used."""

    def __init__(self, module: str, name: str) -> None:
        self._module, self._name = module, name

    def __getattr__(self, attribute: str) -> Any:
        module = sys.modules[self._module]
        if vars(module)[self._name] is self:
            module.__getattr__("")
        return getattr(vars(module)[self._name], attribute)


def _put_off(name: str, **known: Any) -> None:
    """Have a module that is loaded when another attribute of it than the known ones is asked for."""
    spec = None if name in sys.modules else find_spec(name)
    if spec is None or spec.loader is None:
        return
    module, loader = module_from_spec(spec), spec.loader

    def load(attribute: str) -> Any:
        if attribute.startswith("__"):
            raise AttributeError(attribute)  # Python itself asks for such names
        if vars(module).pop("__getattr__", None) is not None:
            loader.exec_module(module)
        return getattr(module, attribute) if attribute else None

    vars(module).update(known, __getattr__=load)
    sys.modules[name] = module

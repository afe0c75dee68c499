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
from collections.abc import Callable
from contextlib import suppress
from importlib.util import find_spec, module_from_spec
from types import ModuleType
from typing import Any, Final

RECURSION_LIMIT: Final = 1000
# What eth_keyfile reads while it is imported: the order of BLS12-381's groups (draft-irtf-cfrg-bls-signature).
_CURVE_ORDER: Final = 0x73EDA753299D7D483339D80809A1D80553BDA402FFFE5BFEFFFFFFFF00000001


def mend() -> None:
    """Do all of it. Does nothing to modules that are there already, nor where a package is not installed."""
    with suppress(ImportError):
        import py_ecc  # noqa: F401  only for its side effect, which thus cannot come later

        _put_off("py_ecc.bls", "G2ProofOfPossession")
        _put_off("py_ecc.bls12_381", curve_order=_CURVE_ORDER)
    if sys.getrecursionlimit() >= 100_000:
        sys.setrecursionlimit(RECURSION_LIMIT)
    sys.modules.setdefault("httpx._main", None)  # type: ignore[arg-type]  # httpx goes on without, as where rich is absent


class _PutOff:
    """An object of a module that is put off; the module is loaded when the object is used."""

    def __init__(self, load: Callable[[], ModuleType], name: str) -> None:
        self._load, self._name = load, name

    def __getattr__(self, attribute: str) -> Any:
        return getattr(getattr(self._load(), self._name), attribute)


def _put_off(name: str, *objects: str, **constants: Any) -> None:
    """Have a module that is loaded when one of its objects is used, or another attribute than these is asked for."""
    spec = None if name in sys.modules else find_spec(name)
    if spec is None or spec.loader is None:
        return
    module, loader = module_from_spec(spec), spec.loader

    def load() -> ModuleType:
        if vars(module).pop("__getattr__", None) is not None:
            loader.exec_module(module)
        return module

    def attribute_of(attribute: str) -> Any:
        if attribute.startswith("__"):
            raise AttributeError(attribute)  # Python itself asks for such names
        return getattr(load(), attribute)

    stand_ins = {each: _PutOff(load, each) for each in objects}
    vars(module).update(stand_ins, **constants, __getattr__=attribute_of)
    sys.modules[name] = module

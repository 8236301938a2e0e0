"""Load the object at an address: `package.module:function` or `path/to/file.py:function`."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib import import_module
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from traceback import extract_tb
from types import ModuleType
from typing import Any

from convlaws.errors import UsageError

LOCAL: dict[str, Any] = {}  # functions of this process that a fresh one cannot find, as local:name


_LOADING: list[str] = []  # the places being imported now, the innermost last


def reject_while_loading() -> None:
    """Raise UsageError if the caller runs because its own module is being imported: the search would recurse."""
    if _LOADING:
        raise UsageError(f"{_LOADING[-1]} starts a search when it is imported; put that below if __name__ == '__main__':")


def find(address: str) -> Any:
    """Return the object at `address`.

    Raises:
        UsageError: there is no such object, or its module fails on import.
    """
    place, _, name = address.rpartition(":")
    if not place or not name:
        raise UsageError(f"{address!r} should read package.module:function or path/to/file.py:function")
    if place == "local":
        return LOCAL[name]
    load = _from_file if place.endswith(".py") else _from_package
    value: Any = load(place)
    for part in name.split("."):
        if not hasattr(value, part):
            raise UsageError(f"{place} has no {name!r}; it has {_names(value)}")
        value = getattr(value, part)
    return value


def _names(found: Any) -> str:
    own = [n for n, v in vars(found).items() if callable(v) and not n.startswith("_")] if hasattr(found, "__dict__") else []
    return ", ".join(own[:12]) or "no functions"


def _from_file(place: str) -> ModuleType:
    path = Path(place).resolve()
    if not path.is_file():
        raise UsageError(f"there is no file {place}" + ("" if Path(place).is_absolute() else f" in {Path.cwd()}"))
    name = path.stem
    if name in sys.modules and getattr(sys.modules[name], "__file__", None) != str(path):
        name = f"{name}_under_test"  # a file called numpy.py must not replace NumPy
    spec = spec_from_file_location(name, path)
    loader = spec.loader if spec else None
    assert spec is not None
    assert loader is not None  # neither is None, as the name ends in .py
    module = module_from_spec(spec)
    sys.modules[name] = module  # before it runs: dataclasses and pickle look up their module there
    with _importable(path.parent, first=True):
        _guarded(place, lambda: loader.exec_module(module))
    return module


def _from_package(place: str) -> ModuleType:
    with _importable(Path.cwd(), first=False):
        return _guarded(place, lambda: import_module(place))


def _guarded(place: str, load: Callable[[], Any]) -> Any:
    _LOADING.append(place)
    try:
        return load()
    except (Exception, SystemExit) as error:
        where = [f for f in extract_tb(error.__traceback__) if "importlib" not in f.filename and f.filename != __file__]
        line = f" ({Path(where[-1].filename).name}, line {where[-1].lineno})" if where else ""
        raise UsageError(f"{place} cannot be imported: {type(error).__name__}: {error}{line}") from error
    finally:
        _LOADING.pop()


@contextmanager
def _importable(folder: Path, *, first: bool) -> Iterator[None]:
    """Put `folder` on the path: `first` while a file is loaded, last from then on.

    A function may import its neighbours when it is called, so the folder stays; it stays last,
    so that it shadows nothing that others import later.
    """
    entry = str(folder)
    if first:
        sys.path.insert(0, entry)
    elif entry not in sys.path:
        sys.path.append(entry)
    try:
        yield
    finally:
        if first:
            sys.path.remove(entry)
            if entry not in sys.path:
                sys.path.append(entry)

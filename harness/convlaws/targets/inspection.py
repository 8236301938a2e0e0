"""Find what the function at an address declares, without importing its file in this process.

A separate process imports it and reports: `python -m convlaws.targets.inspection ADDRESS`.
"""

from __future__ import annotations

import ast
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

from convlaws.errors import HarnessError, UsageError
from convlaws.targets.declaration import Declaration, declared_by, from_json
from convlaws.targets.loading import LOCAL, find

PATIENCE = 120.0  # timeout in seconds for importing a user's file
_HEARD: dict[tuple[str, str, int], Declaration] = {}


def declared(address: str) -> Declaration:
    """Return what the function at `address` declares; everything, if it declares nothing.

    Raises:
        UsageError: there is no such function, or its file cannot be imported.
    """
    place, _, name = address.rpartition(":")
    if place == "local":
        return declared_by(LOCAL[name])
    key = _key(address)
    if key not in _HEARD:
        _HEARD[key] = Declaration() if _is_plain(place, name) else from_json(ask(__name__, address))
    return _HEARD[key]


def note(address: str, function: object) -> None:
    """Cache the declaration of a function object, so that no process is started to find it."""
    _HEARD[_key(address)] = declared_by(function)


def _key(address: str) -> tuple[str, str, int]:
    """Cache key: a changed file is inspected again, and a relative path depends on the working folder."""
    changed = 0
    with suppress(OSError):
        changed = Path(address.rpartition(":")[0]).stat().st_mtime_ns
    return address, str(Path.cwd()), changed


def _is_plain(place: str, name: str) -> bool:
    """True if the file binds the name once, by a def without a decorator: it cannot declare anything."""
    try:
        tree = ast.parse(Path(place).read_bytes())
    except (OSError, SyntaxError, ValueError):
        return False  # the import reports the error
    bound = [n for n in ast.walk(tree) if getattr(n, "name", None) in (name, "*") or getattr(n, "asname", None) == name]
    bound += [n for n in ast.walk(tree) if isinstance(n, ast.Name) and n.id == name and isinstance(n.ctx, ast.Store)]
    return len(bound) == 1 and bound[0] in tree.body and isinstance(bound[0], ast.FunctionDef) and not bound[0].decorator_list


def ask(module: str, address: str, *words: str) -> dict[str, Any]:
    """Return what the process `python -m module address words` reports about user code (see `tell`).

    Raises:
        UsageError: it reports an error, dies, or takes too long.
    """
    # -P: as in the sandbox, the working folder must not come first on the path
    command = [sys.executable, "-P", "-m", module, address, *words]
    try:
        done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, timeout=PATIENCE, check=False)
    except subprocess.TimeoutExpired:
        raise UsageError(f"{address} cannot be opened: it took more than {PATIENCE:g} s") from None
    try:
        told = json.loads(done.stdout)
    except ValueError:
        raise UsageError(f"{address} cannot be opened: {_death(done)}") from None
    if "wrong" in told:
        raise UsageError(told["wrong"])
    return told


def _death(done: subprocess.CompletedProcess[bytes]) -> str:
    code = done.returncode
    ended = f"died of {signal.Signals(-code).name}" if code < 0 else f"ended with exit status {code}"
    last = done.stderr.decode(errors="backslashreplace").strip().splitlines()[-1:]
    return f"the process that imports it {ended}" + (f"; its last output: {last[0][-200:]}" if last else "")


def tell(find_out: Callable[[], dict[str, Any]]) -> None:
    """Write the result to standard output and exit; what the user code prints is redirected to standard error."""
    answer = os.dup(1)
    os.dup2(2, 1)
    try:
        told = find_out()
    except HarnessError as error:
        told = {"wrong": str(error)}
    with open(answer, "w", encoding="utf-8") as file:
        json.dump(told, file)
    os._exit(0)  # skip threads and exit handlers of the imported code


if __name__ == "__main__":
    tell(lambda: declared_by(find(sys.argv[1])).as_json())

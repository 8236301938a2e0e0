"""What the function at an address declares, found out without importing its file here.

A process of its own imports it and says: `python -m convlaws.targets.inspection ADDRESS`.
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

PATIENCE = 120.0  # seconds for a user's file to be imported
_HEARD: dict[tuple[str, str, int], Declaration] = {}


def declared(address: str) -> Declaration:
    """What the function at `address` declares; everything, where it says nothing.

    Raises:
        UsageError: there is none, or its file cannot be imported.
    """
    place, _, name = address.rpartition(":")
    if place == "local":
        return declared_by(LOCAL[name])
    key = _key(address)
    if key not in _HEARD:
        _HEARD[key] = Declaration() if _is_plain(place, name) else from_json(ask(__name__, address))
    return _HEARD[key]


def note(address: str, function: object) -> None:
    """Keep what a function that is at hand declares: no process is needed to find it out."""
    _HEARD[_key(address)] = declared_by(function)


def _key(address: str) -> tuple[str, str, int]:
    """A file that was changed is asked again, and a relative path means another file in another folder."""
    changed = 0
    with suppress(OSError):
        changed = Path(address.rpartition(":")[0]).stat().st_mtime_ns
    return address, str(Path.cwd()), changed


def _is_plain(place: str, name: str) -> bool:
    """Whether the file binds the name once, by a def without a decorator: it cannot declare anything."""
    try:
        tree = ast.parse(Path(place).read_bytes())
    except (OSError, SyntaxError, ValueError):
        return False  # whoever imports it will say what is wrong
    bound = [n for n in ast.walk(tree) if getattr(n, "name", None) in (name, "*") or getattr(n, "asname", None) == name]
    bound += [n for n in ast.walk(tree) if isinstance(n, ast.Name) and n.id == name and isinstance(n.ctx, ast.Store)]
    return len(bound) == 1 and bound[0] in tree.body and isinstance(bound[0], ast.FunctionDef) and not bound[0].decorator_list


def ask(module: str, address: str, *words: str) -> dict[str, Any]:
    """What the process `python -m module address words` tells of somebody's code (see `tell`).

    Raises:
        UsageError: it says what is wrong, dies, or takes too long.
    """
    # -P: the working folder must not come first on the path, as it does not in the sandbox
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
    """Write what is found out to the standard output, and end; what the code itself prints goes to the other."""
    answer = os.dup(1)
    os.dup2(2, 1)
    try:
        told = find_out()
    except HarnessError as error:
        told = {"wrong": str(error)}
    with open(answer, "w", encoding="utf-8") as file:
        json.dump(told, file)
    os._exit(0)  # threads and exit handlers of what was imported have no say


if __name__ == "__main__":
    tell(lambda: declared_by(find(sys.argv[1])).as_json())

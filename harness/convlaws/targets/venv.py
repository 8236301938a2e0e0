"""Virtual environments: run an engine at another version than the installed one.

pip makes each of them once, below `$CONVLAWS_CACHE` (default `~/.cache/convlaws`), from wheels only, with this
interpreter. pip's own settings apply: PIP_INDEX_URL=https://download.pytorch.org/whl/cpu gives CPU builds of torch.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote, urlsplit
from urllib.request import Request, urlopen

from packaging.version import InvalidVersion, Version

from convlaws.errors import UsageError
from convlaws.targets.registry import Package

LARGE = 1 << 30  # bytes of wheels above which downloading must be allowed explicitly
READY = "ready"  # marker file of a complete environment
ANSWER = 20  # timeout in seconds for an index to report a file's size
Say = Callable[[str], None]


@dataclass(frozen=True)
class Environment:
    """The virtual environment of one version of a package."""

    package: Package
    version: str

    @property
    def requirements(self) -> tuple[str, ...]:
        """The requirements passed to pip."""
        return (f"{self.package.name}=={self.version}", *self.package.beside_of(self.version), "numpy")

    @property
    def place(self) -> Path:
        """The environment's folder; different for other requirements or another Python."""
        python = f"py{sys.version_info.major}.{sys.version_info.minor}"
        mark = hashlib.sha256("|".join((sys.base_prefix, *self.requirements)).encode()).hexdigest()[:8]
        return cache() / "environments" / f"{self.package.name}-{self.version}-{python}-{mark}"

    @property
    def python(self) -> str:
        """The environment's interpreter."""
        return str(self.place / "bin" / "python")

    @property
    def ready(self) -> bool:
        """True if the environment exists and is complete."""
        return (self.place / READY).exists()

    def build(self, *, allow_large: bool = False, say: Say = lambda text: None) -> str:
        """Return the environment's interpreter, creating the environment if it does not exist.

        Raises:
            UsageError: there is no such version, no wheel for this Python, or too much to download.
        """
        _check(self.package.name, self.version)
        with _locked(self.place):
            if not self.ready:
                say(f"making an environment for {self.package.name} {self.version} in {self.place}")
                self._make(allow_large, say)
        return self.python

    def _make(self, allow_large: bool, say: Say) -> None:
        shutil.rmtree(self.place, ignore_errors=True)
        try:
            _run([sys.executable, "-m", "venv", str(self.place)], f"cannot make {self.place}")
            if not allow_large:
                say("asking pip how much that fetches")
                say(f"fetching {_gigabytes(self._small_size())}")
            self._pip("install", *self.requirements)
        except BaseException:  # Ctrl-C too: a half-installed environment would look like a broken engine
            shutil.rmtree(self.place, ignore_errors=True)
            raise
        (self.place / READY).touch()

    def _pip(self, *words: str) -> str:
        command = [self.python, "-m", "pip", *words, "--quiet", "--only-binary", ":all:"]
        return _run(command, f"pip cannot install {' '.join(self.requirements)}")

    def _small_size(self) -> int:
        """Return the size of the download in bytes.

        Raises:
            UsageError: it is over LARGE.
        """
        report = json.loads(self._pip("install", "--dry-run", "--report", "-", *self.requirements))
        sizes = {item["metadata"]["name"]: _size(item["download_info"]["url"]) for item in report["install"]}
        if (total := sum(sizes.values())) > LARGE:
            most = ", ".join(f"{name} {_gigabytes(sizes[name])}" for name in sorted(sizes, key=lambda n: -sizes[n])[:3])
            raise UsageError(
                f"{self.package.name} {self.version} would fetch {_gigabytes(total)} ({most}, ...), over {_gigabytes(LARGE)}: "
                "say --allow-large, or name an index of smaller builds in PIP_INDEX_URL"
            )
        return total


def cache() -> Path:
    """Return the folder that holds the environments."""
    home = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(os.environ.get("CONVLAWS_CACHE") or Path(home) / "convlaws")


def versions(package: Package) -> list[str]:
    """Return the releases that pip can install with this Python, the oldest first.

    Raises:
        UsageError: pip finds none.
    """
    text = _run([sys.executable, "-m", "pip", "index", "versions", package.name], f"pip knows no version of {package.name}")
    listed = next((line for line in text.splitlines() if line.startswith("Available versions:")), "")
    releases = [word.strip() for word in listed.partition(":")[2].split(",") if word.strip()]
    if not releases:
        raise UsageError(f"pip knows no version of {package.name}")
    return sorted(releases, key=Version)


def _check(name: str, version: str) -> None:
    try:
        Version(version)
    except InvalidVersion:
        raise UsageError(f"{name}@{version}: {version!r} is no version, it should read like 1.26.0") from None


def _run(command: list[str], trouble: str) -> str:
    done = subprocess.run(command, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL)
    if done.returncode:
        lines = [line for line in done.stderr.splitlines() if line.strip()] or ["no reason was given"]
        said = next((line for line in lines if line.startswith("ERROR:")), lines[-1])
        raise UsageError(f"{trouble}: {said.removeprefix('ERROR: ')}")
    return done.stdout


def _size(url: str) -> int:
    """Return the size in bytes of the file at `url`, 0 if unknown."""
    parts = urlsplit(url)
    try:
        if parts.scheme == "file":
            return Path(unquote(parts.path)).stat().st_size
        with urlopen(Request(url, method="HEAD"), timeout=ANSWER) as answer:
            return int(answer.headers.get("Content-Length") or 0)
    except OSError:
        return 0


def _gigabytes(size: int) -> str:
    return f"{size / 1e9:.1f} GB"


@contextmanager
def _locked(place: Path) -> Iterator[None]:
    """Lock `place` against all other processes of this machine."""
    try:
        place.parent.mkdir(parents=True, exist_ok=True)
        file = place.with_name(f"{place.name}.lock").open("w")
    except OSError as error:
        raise UsageError(f"cannot write {place.parent}: {error.strerror}; CONVLAWS_CACHE names another folder") from None
    with file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield

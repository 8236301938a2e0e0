"""Defaults of options from pyproject.toml: [tool.convlaws] holds values for the options of `check`."""

from __future__ import annotations

import difflib
import tomllib
from pathlib import Path
from typing import Any

import click
from click.core import ParameterSource

from convlaws.errors import UsageError

TABLE = "tool.convlaws"


class Configured(click.Command):
    """A command whose options have their defaults from the nearest pyproject.toml."""

    def make_context(self, info_name, args, parent=None, **extra):
        """The context with these defaults; `--help` does not read them."""
        if not {"-h", "--help"} & set(args):
            extra.setdefault("default_map", self.defaults())
        context = super().make_context(info_name, args, parent, **extra)
        for name in _overruled(context):
            context.params[name] = None
        return context

    def defaults(self) -> dict[str, Any]:
        """The defaults by parameter name; paths are relative to the file.

        Raises:
            UsageError: the file cannot be read, or names an unknown option.
        """
        file = _nearest(Path.cwd())
        told = _table(file) if file else {}
        options = {flag: p for p in self.params if isinstance(p, click.Option) for flag in _names(p)}
        values: dict[str, Any] = {}
        for name, value in told.items():
            if name not in options:
                near = difflib.get_close_matches(name, options, n=1)
                hint = f"; near: {near[0]}" if near else ""
                raise UsageError(f"{file}: [{TABLE}] has {name!r}, which is no option of {self.name}{hint}")
            values[str(options[name].name)] = _value(options[name], value, file)
        return values


EXCLUSIVE = ("budget", "examples")  # options that exclude each other: one on the command line overrides the other from the file


def _overruled(context: click.Context) -> list[str]:
    """The exclusive options from the file that another on the command line overrides."""
    given = [name for name in EXCLUSIVE if context.params.get(name) is not None]
    file = [name for name in given if context.get_parameter_source(name) is ParameterSource.DEFAULT_MAP]
    return file if 0 < len(file) < len(given) else []


def _names(option: click.Option) -> list[str]:
    """The accepted spellings of an option: fail-on or fail_on."""
    long = [flag.removeprefix("--") for flag in option.opts if flag.startswith("--")]
    return [*long, *(flag.replace("-", "_") for flag in long)]


def _value(option: click.Option, value: Any, file: Path | None) -> Any:
    """The value as click expects it: text, or a list of texts for a repeatable option."""
    if isinstance(value, dict) or (isinstance(value, list) and not option.multiple and option.name != "isa"):
        raise UsageError(f"{file}: [{TABLE}] has {option.name} = {value!r}, which is not one value")
    if isinstance(value, list):
        return ",".join(map(str, value)) if option.name == "isa" else [_text(option, one, file) for one in value]
    return [_text(option, value, file)] if option.multiple else _text(option, value, file)


def _text(option: click.Option, value: Any, file: Path | None) -> Any:
    if isinstance(value, bool):
        return value
    if isinstance(option.type, click.Path) and file and str(value) != "none":
        return str(file.parent / str(value))
    return str(value)


def _nearest(folder: Path) -> Path | None:
    """The pyproject.toml of this folder, or of the nearest parent that has one."""
    return next((file for place in (folder, *folder.parents) if (file := place / "pyproject.toml").is_file()), None)


def _table(file: Path) -> dict[str, Any]:
    try:
        told = tomllib.loads(file.read_text(encoding="utf-8")).get("tool", {}).get("convlaws", {})
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise UsageError(f"{file} cannot be read: {error}") from None
    if not isinstance(told, dict):
        raise UsageError(f"{file}: [{TABLE}] is {told!r}, it should be a table")
    return told

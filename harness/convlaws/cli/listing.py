"""`convlaws list`."""

from __future__ import annotations

import json

import click


def _methods(kind: str) -> list[dict]:
    from convlaws.targets.registry import rows

    return [
        {
            "name": m.name,
            "says": m.says + (f" ({m.absent})" if m.absent else ""),
            "contract": m.contract_name(),
            "refuses": m.scope.describe(),
            "beyond": m.scope.beyond(),
            "can": sorted(m.can),
        }
        for m in rows(kind, absent=True)
    ]


def _laws() -> list[dict]:
    from convlaws.laws.registry import laws

    return [
        {
            "name": w.name,
            "says": w.says,
            "ops": list(w.scope.ops),
            "needs": w.needs,
            "only": w.scope.describe(),
            "beyond": w.scope.beyond(),
        }
        for w in laws()
    ]


def _contracts() -> list[dict]:
    from convlaws.oracle.contracts import CONTRACTS

    return [{"name": c.name, "says": c.says} for c in CONTRACTS.values()]


def _known() -> list[dict]:
    from convlaws.known import load

    return [
        {"name": k.id, "says": k.sentence, "methods": list(k.methods), "lines": list(k.lines), "thread": k.thread}
        for k in load().entries
    ]


def _catalogues() -> list[dict]:
    from convlaws.problem.catalogues import catalogue, names, says

    return [{"name": n, "says": says(n), "problems": len(catalogue(n))} for n in names()]


def _levels() -> list[dict]:
    from convlaws.targets.isa import LEVELS, SWITCHES

    return [
        {
            "name": level.name,
            "says": level.says,
            "extensions": " ".join(level.needs),
            "variables": " ".join(f"{SWITCHES[s].variable}={SWITCHES[s].set(v, '')}" for s, v in level.values.items()),
        }
        for level in LEVELS.values()
    ]


_TABLES = {
    "methods": lambda: _methods("method"),
    "engines": lambda: _methods("engine"),
    "compiled": lambda: _methods("compiled"),
    "cuda": lambda: _methods("cuda"),
    "cudnn": lambda: _methods("cudnn"),
    "laws": _laws,
    "contracts": _contracts,
    "mutants": lambda: _methods("mutant"),
    "known": _known,
    "catalogues": _catalogues,
    "levels": _levels,
}


_NOTES = {
    "refuses": "does only",
    "only": "about only",
    "beyond": "and beyond what torch has",
    "problems": "problems",
    "needs": "needs",
    "variables": "where its library reads them",
}


@click.command("list")
@click.argument("what", type=click.Choice(tuple(_TABLES)))
@click.option("--json", "as_json", is_flag=True, help="As a JSON array.")
def command(what, as_json) -> None:
    """Show the rows of a table."""
    run(what, as_json)


def run(what: str, as_json: bool) -> None:
    """Print the table `what`."""
    from convlaws.cli.settings import warn

    warn()
    rows = _TABLES[what]()
    if as_json:
        click.echo(json.dumps(rows, indent=1))
        return
    width = max((len(row["name"]) for row in rows), default=0)
    for row in rows:
        click.echo(f"{row['name']:{width}}  {row['says']}")
        for key, says in _NOTES.items():
            if row.get(key):
                click.echo(f"{'':{width}}    {says}: {row[key]}")

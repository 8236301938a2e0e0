"""ISA levels: restrict a library to an instruction set by its own switches, so that one machine emulates many processors.

A level is appended to a row's name, `torch-onednn%avx2`, and is a set of environment variables of the
process that runs the row. A `Package` lists the switches that its library obeys; the first of them selects
the kernels of its convolutions, so it determines which extensions of the processor are visible to it.
Two levels are numbers of threads, for rows whose library takes one.

Sources: oneDNN, "CPU Dispatcher Control"; PyTorch, `ATEN_CPU_CAPABILITY`; XLA, `xla_cpu_max_isa`; OpenBLAS,
"Runtime variables"; oneMKL, `MKL_ENABLE_INSTRUCTIONS`.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field

from convlaws.errors import UnknownName
from convlaws.records import environment


@dataclass(frozen=True, kw_only=True)
class Switch:
    """A variable that a library reads when it chooses its kernels; `form` is the format of the value in it."""

    variable: str
    form: str = "{}"

    def read(self, variables: Mapping[str, str]) -> str:
        """Return the value that is set, in lower case; '' if none is."""
        pattern = re.escape(self.form).replace(r"\{\}", r"(\w+)")
        values = re.findall(pattern, variables.get(self.variable, "").lower())
        return values[-1] if values else ""

    def set(self, value: str, before: str) -> str:
        """Return the variable's new content: this value, plus whatever else `before` held."""
        return self.form.format(value) if self.form == "{}" else f"{before} {self.form.format(value)}".strip()


SWITCHES = {
    "onednn": Switch(variable="ONEDNN_MAX_CPU_ISA"),
    "aten": Switch(variable="ATEN_CPU_CAPABILITY"),
    "mkl": Switch(variable="MKL_ENABLE_INSTRUCTIONS"),
    "xla": Switch(variable="XLA_FLAGS", form="--xla_cpu_max_isa={}"),
    "openblas": Switch(variable="OPENBLAS_CORETYPE"),
}
OURS = ("openblas",)  # the switches of NumPy's and SciPy's matrix products, which run in our own process
TORCH = ("onednn", "aten", "mkl")


@dataclass(frozen=True, kw_only=True, eq=False)
class Level:
    """`needs` are the extensions, as /proc/cpuinfo spells them, that a processor must have to run at the level; `values`
    the value of each switch that has one; `threads` the number of threads, if the level is one."""

    name: str
    says: str
    needs: tuple[str, ...] = ()
    values: Mapping[str, str] = field(default_factory=dict)
    threads: int = 0


def _level(name: str, says: str, needs: str, values: str) -> Level:
    """Build a level; `values` has those of onednn, aten, mkl, xla and openblas, '-' where there is none."""
    told = dict(zip(SWITCHES, values.split(), strict=True))
    return Level(name=name, says=says, needs=tuple(needs.split()), values={s: v for s, v in told.items() if v != "-"})


# from the least to the most; XLA has no level between bfloat16 and AMX, and uses AVX512_FP16 only with AMX
_INSTRUCTIONS = (
    _level("sse41", "no AVX", "", "SSE41 default SSE4_2 SSE4_2 Nehalem"),
    _level("avx", "AVX", "avx", "AVX default AVX AVX Sandybridge"),
    _level("avx2", "AVX2 and FMA", "avx2 fma", "AVX2 avx2 AVX2 AVX2 Haswell"),
    _level(
        "avx512",
        "AVX-512 without bfloat16",
        "avx512f avx512bw avx512vl avx512dq",
        "AVX512_CORE avx512 AVX512 AVX512 SkylakeX",
    ),
    _level("avx512_bf16", "AVX-512 with bfloat16", "avx512_bf16", "AVX512_CORE_BF16 avx512 AVX512 AVX512_BF16 Cooperlake"),
    _level("avx512_fp16", "AVX-512 with float16", "avx512_fp16", "AVX512_CORE_FP16 avx512 AVX512 - -"),
    _level("amx", "AMX", "amx_tile amx_bf16", "AVX512_CORE_AMX avx512 AVX512 AMX SapphireRapids"),
)
DEFAULT = Level(name="default", says="as it is, without any switch")
_THREADS = tuple(Level(name=f"{n}thread{'s' * (n > 1)}", says=f"{n} thread{'s' * (n > 1)}", threads=n) for n in (1, 2))
LEVELS = {level.name: level for level in (DEFAULT, *_INSTRUCTIONS, *_THREADS)}
_RANK = {level.name: rank for rank, level in enumerate(_INSTRUCTIONS)}
# values of switches between the levels above, each with the highest level that it allows
_BETWEEN = {
    "onednn": {"avx2_vnni": "avx2", "avx2_vnni_2": "avx2", "avx512_core_vnni": "avx512"},
    "xla": {"avx512_vnni": "avx512"},
}
# the first level at which an extension is visible, by the longest matching prefix of its name
_VISIBLE_AT = {"avx512_bf16": "avx512_bf16", "avx512_fp16": "avx512_fp16", "avx512": "avx512", "amx": "amx", "avx2": "avx2",
               "avx_vnni": "avx2", "fma": "avx2", "avx": "avx"}  # fmt: skip


def _allowed(switch: str) -> dict[str, int]:
    """Return the rank of the highest level that each value of a switch allows."""
    told = {level.values[switch].lower(): _RANK[level.name] for level in _INSTRUCTIONS if switch in level.values}
    return told | {value: _RANK[name] for value, name in _BETWEEN.get(switch, {}).items()}


_ALLOWED = {switch: _allowed(switch) for switch in SWITCHES}


def visible(flags: Iterable[str], switch: str, variables: Mapping[str, str]) -> frozenset[str]:
    """Return the processor's extensions that the switch leaves to a library in a process with these variables.

    >>> sorted(visible(["avx2", "avx512f", "amx_tile"], "onednn", {"ONEDNN_MAX_CPU_ISA": "AVX512_CORE_BF16"}))
    ['avx2', 'avx512f']
    >>> sorted(visible(["avx2", "avx512f"], "aten", {"ONEDNN_MAX_CPU_ISA": "SSE41"}))
    ['avx2', 'avx512f']
    """
    value = SWITCHES[switch].read(variables)
    if switch == "onednn" and not value:  # the variable's former name
        value = variables.get("DNNL_MAX_CPU_ISA", "").lower()
    top = _ALLOWED[switch].get(value)  # a library ignores unknown values
    return frozenset(f for f in flags if top is None or _rank_of(f) <= top)


def _rank_of(flag: str) -> int:
    start = max((s for s in _VISIBLE_AT if flag.startswith(s)), key=len, default="")
    return _RANK[_VISIBLE_AT[start]] if start else 0


def lacks(extensions: Collection[str], flags: Collection[str]) -> str:
    """Return why something that needs these extensions ('!name': its absence) cannot show where only `flags` are visible.

    >>> lacks(("avx2", "!avx512f"), ("avx2", "avx512f"))
    'the processor has avx512f'
    >>> lacks(("amx_tile",), ("avx2",))
    'the processor has no amx_tile'
    >>> lacks(("avx2",), ("avx2",))
    ''
    """
    wrong = [f"has {e[1:]}" for e in extensions if e.startswith("!") and e[1:] in flags]
    missing = [f"has no {e}" for e in extensions if not e.startswith("!") and e not in flags]
    return f"the processor {' and '.join(wrong + missing)}" if wrong or missing else ""


def highest(flags: Collection[str]) -> Level:
    """Return the highest level at which a processor with these extensions can run.

    >>> highest(["avx", "avx2", "fma", "amx_tile"]).name
    'avx2'
    """
    reached = [at for at in _INSTRUCTIONS if set(at.needs) <= set(flags)]
    return reached[-1]


def level(name: str) -> Level:
    """Return the level of that name.

    Raises:
        UnknownName: there is none.
    """
    if name not in LEVELS:
        raise UnknownName(f"no ISA level {name!r}; there are {', '.join(LEVELS)}, and 'all'")
    return LEVELS[name]


def why_not(at: Level, switches: tuple[str, ...], *, threads: bool) -> str:
    """Return why a library with these switches does not run at a level on this machine, in words; '' if it does."""
    if at is DEFAULT:
        return ""
    if at.threads:
        return "" if threads else "its library takes no number of threads"
    if not switches or switches[0] not in at.values:
        return f"its library has no switch for {at.name}"
    return lacks(at.needs, environment.extensions())


def variables(at: Level, switches: tuple[str, ...], before: Mapping[str, str]) -> dict[str, str]:
    """Return the variables of a process whose library is restricted to a level, including those of `before`.

    >>> variables(LEVELS["avx2"], ("xla",), {"XLA_FLAGS": "--a=b"})
    {'XLA_FLAGS': '--a=b --xla_cpu_max_isa=AVX2'}
    """
    told = {SWITCHES[s].variable: (s, value) for s in switches if (value := at.values.get(s))}
    return {**before, **{v: SWITCHES[s].set(value, before.get(v, "")) for v, (s, value) in told.items()}}

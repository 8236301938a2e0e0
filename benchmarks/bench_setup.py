"""asv benchmarks of one-time costs: building a matrix, plans, sessions, the first call of a compiled engine."""

from __future__ import annotations

from convlaws.targets.registry import rows

from .once import calls_a_sample, once
from .peak import peak_bytes
from .problems import QUICK, SWEEPS
from .verified import Verified, WrongError, row_of

ROWS = tuple(row.name for row in rows("method", "engine", "compiled"))
ENTRIES = 50_000_000  # most entries of a matrix: it has the multiply-adds of an image, less the padding
SIZES = {n: p for n, p in SWEEPS.items() if n.startswith(("sweep-extent", "sweep-kernel")) and p.spec.macs <= ENTRIES}
MOST = 1 << 29  # bytes of a dense matrix


# functions of convlaws.methods.matrices, and their arguments beside (spec, w)
FORMS = {"sparse_matrix": (), "dense_matrix": (MOST,)}


def _built(form, spec, w):
    from convlaws.errors import Refusal
    from convlaws.methods import matrices

    if not hasattr(matrices, form):
        raise NotImplementedError(f"there is no {form} at this commit")
    try:
        return getattr(matrices, form)(spec, w, *FORMS[form])
    except Refusal as refusal:
        raise NotImplementedError(str(refusal)) from None


class Matrices:
    """Time and memory to build the matrix of a convolution."""

    version = "1"
    timeout = 120
    param_names = ("problem", "method")
    params = (tuple(SIZES), tuple(FORMS))

    @once
    def setup(self, problem, method):
        from convlaws.oracle.claim import Claim, judge
        from convlaws.oracle.contracts import CONTRACTS, interval
        from convlaws.oracle.oracle import answer

        p = SIZES[problem]
        x, w = (p.operands[role] for role in "xw")
        self.build = lambda: _built(method, p.spec, w)
        found = answer(p.spec, p.op, p.operands)
        got = (self.build() @ x.ravel()).reshape(p.spec.y_shape)
        if said := judge(Claim.of_answer(got, found, interval(found, CONTRACTS["plain"], p.format))):
            raise WrongError(f"{method} has no time: {said}\n{p}")
        self.number = calls_a_sample(self.build)

    def time_build(self, problem, method):
        self.build()

    def track_peak_bytes(self, problem, method):
        return peak_bytes(self.build)

    track_peak_bytes.unit = "bytes"


class FirstCall:
    """The first call of a process on a problem; it includes plans, patterns, sessions and compilation, but not imports.

    Each sample is a process of its own, in which a tiny problem was computed before, so that the library is loaded.
    """

    version = "1"
    timeout = 180
    number, repeat, rounds, warmup_time, min_run_count = 1, 1, 3, 0, 1
    param_names = ("problem", "method")
    params = (("layer",), ROWS)

    @once
    def setup(self, problem, method):
        self.verified = Verified(QUICK[problem], row_of(method), prepared=False)
        Verified(QUICK["tiny"], row_of(method), prepared=False).call()

    def time_first_call(self, problem, method):
        self.verified.call()

    def teardown(self, problem, method):
        if hasattr(self, "verified"):
            self.verified.verify()

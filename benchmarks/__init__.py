"""How long, how much memory, how accurate: what asv measures over the commits. Laws judge elsewhere.

One thread, unless the caller says otherwise: results of several are not repeatable where others work on the same machine.
asv imports this before any benchmark, and so before the libraries that read the variables; its own
environments have them from `asv.conf.json`, `--python=same` only from here.
"""

import os

for _name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
    os.environ.setdefault(_name, "1")

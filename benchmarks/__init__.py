"""How long, how much memory, how accurate: what asv measures over the commits. Laws judge elsewhere.

One thread, unless the caller sets another number: results of several threads are not repeatable on a shared machine.
asv imports this package before any benchmark, and so before the libraries that read the variables; asv's own
environments get them from `asv.conf.json`, `--python=same` only from here.
"""

import os

for _name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
    os.environ.setdefault(_name, "1")

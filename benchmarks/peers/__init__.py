"""Published approaches side by side with Telperion: the same light curves, views and cores (see docs/peers.md)."""

import os

for _name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(_name, "1")  # before anything that computes is imported

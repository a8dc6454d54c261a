"""A measuring process of this engine, or of a floor: the task from stdin, the answer to stdout."""

from __future__ import annotations

import sys

from benchmarks import arriving, engine, floors
from benchmarks.measure import serve

if __name__ == "__main__":
    serve(
        {"engine": engine.run, "arriving": arriving.run, "floors": floors.run}[sys.argv[1]],
        "mismartera",
        "numpy",
        "polars",
        "TA-Lib",
    )

"""One profile for all property tests: the same examples at every run, so that a red build can be repeated."""

from __future__ import annotations

import os

from hypothesis import HealthCheck, Phase, settings

EXAMPLES = int(os.environ.get("MISMARTERA_EXAMPLES", "0"))
"""Examples per test for a hunt (drawn at random); 0: the fixed ones."""

settings.register_profile(
    "mismartera",
    derandomize=not EXAMPLES,
    deadline=None,
    max_examples=EXAMPLES or 50,
    database=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.large_base_example],
    print_blob=False,
    phases=[Phase.generate] if os.environ.get("MISMARTERA_NO_SHRINK") else list(Phase),
)
settings.load_profile("mismartera")

"""The catalog's names cost nothing until they are used."""

from __future__ import annotations

import subprocess
import sys

import pytest

from mismartera import catalog


def test_importing_the_package_loads_neither_polars_nor_delta() -> None:
    code = (
        "import sys, mismartera.catalog; print([m for m in ('polars', 'deltalake', 'numpy') if m in sys.modules])"
    )
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert shown.stdout == "[]\n"


def test_every_public_name_can_be_looked_up() -> None:
    for name in catalog.__all__:
        assert getattr(catalog, name) is not None
    with pytest.raises(AttributeError, match="has no attribute 'Nothing'"):
        _ = catalog.Nothing

"""A file that the system does not open is not damaged: nothing is left out, moved aside or removed (D03)."""

from __future__ import annotations

import os
import resource
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from tests.unit.catalog.helpers import DAY_US, OPEN_US, data_files, frame

from mismartera.catalog import DataManager, examine, repair
from mismartera.errors import StoreError

NOBODY = 65534
_USE = "from tests.unit.catalog import test_unopened_files as t; t.main(*__import__('sys').argv[1:])"


@pytest.fixture
def store() -> Iterator[Path]:
    """In a folder that any user may enter."""
    with tempfile.TemporaryDirectory() as made:
        Path(made).chmod(0o755)
        DataManager(Path(made) / "store").write_many((name, "1m", frame(range(60))) for name in ("A", "B"))
        yield Path(made) / "store"


def rows(data: DataManager) -> int:
    return len(data.read_block("1m", OPEN_US, OPEN_US + DAY_US, ["A", "B"]))


@contextmanager
def no_handles() -> Iterator[None]:
    """Nothing more can be opened in this process."""
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (0, limits[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, limits)


@contextmanager
def no_permission(file: Path) -> Iterator[None]:
    """The file is somebody else's."""
    is_root = os.geteuid() == 0
    file.chmod(0)
    if is_root:
        os.seteuid(NOBODY)
    try:
        yield
    finally:
        if is_root:
            os.seteuid(0)
        file.chmod(0o644)


def answer(use: Callable[[], object]) -> str:
    try:
        return str(use())
    except StoreError as error:
        return str(error)


def main(path: str, trouble: str) -> None:
    """In a process of its own: use the store while its file cannot be opened; print what is said."""
    store = Path(path)
    (file,) = data_files(store)
    warned: list[str] = []
    data = DataManager(store, warn=warned.append)
    assert data.version > 0  # the log is read
    if trouble != "EMFILE-first":
        assert rows(DataManager(store)) == 120
    uses: list[Callable[[], object]] = [lambda: rows(data)]
    if trouble == "EACCES":
        uses += [lambda: examine(store)]
    with no_permission(file) if trouble == "EACCES" else no_handles():
        said = [answer(use) for use in uses]
    again = answer(lambda: rows(data))
    if trouble == "EMFILE-first" and again != "120":  # Polars, which was to begin without a handle, never does
        assert "its bytes are those that were written: it was left alone" in again
    else:
        assert again == "120", "by the same manager, once the system opens files again"
    assert not warned
    assert not data.damages()
    print("\n".join(said))  # the answer


@pytest.mark.parametrize(
    ("trouble", "reason"),
    [
        ("EMFILE", "Too many open files"),
        ("EMFILE-first", "Too many open files"),
        ("EACCES", "Permission denied"),
    ],
)
def test_a_file_that_the_system_does_not_open_is_not_taken_for_damaged(
    store: Path, trouble: str, reason: str
) -> None:
    (file,) = data_files(store)
    before = sorted(store.rglob("*"))
    done = subprocess.run(
        [sys.executable, "-c", _USE, str(store), trouble], capture_output=True, text=True, check=False, timeout=60
    )
    assert done.returncode == 0, done.stderr
    said = done.stdout.splitlines()
    assert len(said) == (2 if trouble == "EACCES" else 1)
    for line in said:
        assert line.startswith(f"the store's file {file} cannot be read: {reason}"), line
        assert line.endswith("the disk may be at fault: the file was left alone")
    assert sorted(store.rglob("*")) == before
    assert examine(store).problems == []


def test_neither_a_write_nor_a_repair_moves_a_file_aside_that_cannot_be_opened(
    store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (file,) = data_files(store)
    before, content = sorted(store.rglob("*")), file.read_bytes()

    def refused(path: Path) -> bytes:
        raise PermissionError(13, "Permission denied", str(path))

    data = DataManager(store, warn=pytest.fail)
    with monkeypatch.context() as patch:
        patch.setattr(Path, "read_bytes", refused)
        for use in (lambda: data.write_bars("A", "1m", frame([3])), lambda: repair(store, pytest.fail)):
            with pytest.raises(StoreError, match=r"cannot be read: Permission denied"):
                use()
    assert sorted(store.rglob("*")) == before
    assert file.read_bytes() == content
    assert examine(store).problems == []

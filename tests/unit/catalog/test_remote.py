"""A store in an object store is read as if it were a folder, and never written."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from tests.object_store import BUCKET, serve
from tests.runs import DAY, HALF_DAY, config, minute_bars, us

from mismartera import DataManager, SystemManager
from mismartera.errors import StoreError
from mismartera.testing.memory import MemoryBars


@pytest.fixture(scope="module")
def bucket(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    folder = tmp_path_factory.mktemp("bucket")
    with pytest.MonkeyPatch.context() as patch, serve(folder, patch):
        yield folder


@pytest.fixture
def store(bucket: Path, tmp_path: Path) -> DataManager:
    data = DataManager(bucket / tmp_path.name)
    data.write_bars("AAA", "1m", minute_bars("AAA"))
    data.write_many([("AAA", "1m", minute_bars("AAA", range(9), day=HALF_DAY)), ("B", "1m", minute_bars("B"))])
    return data


def address(store: DataManager) -> str:
    return f"s3://{BUCKET}/{store.path.name}"


def test_an_object_store_gives_the_same_bars(store: DataManager) -> None:
    remote = DataManager(address(store) + "/")
    assert remote.exists()
    assert (remote.version, remote.table_id) == (store.version, store.table_id)
    assert remote.symbols() == store.symbols()
    assert remote.listing() == store.listing()
    assert remote.coverage("AAA", "1m") == store.coverage("AAA", "1m")
    wanted = ("1m", us("09:30"), us("16:00", HALF_DAY), ["B", "AAA", "NONE"])
    here, there = store.read_block(*wanted), remote.read_block(*wanted)
    assert np.array_equal(here.offsets, there.offsets)
    assert np.array_equal(here.start, there.start)
    for one, other in zip(here.columns, there.columns, strict=True):
        assert np.array_equal(one, other)


def test_a_run_on_an_object_store_is_the_run_on_the_folder(store: DataManager) -> None:
    systems = [
        SystemManager(config("AAA", "B", streams=("1m", "5m"), dates=(DAY, HALF_DAY)), data_manager=data)
        for data in (store, DataManager(address(store)))
    ]
    for system in systems:
        system.run()
    here, there = (system.summary() for system in systems)
    for summary in (here, there):
        summary["wall_seconds"] = summary["bars_per_second"] = 0.0
    assert here["bars_streamed"] == 789
    assert here == there


def test_an_older_version_of_an_object_store_can_be_read(store: DataManager) -> None:
    older = DataManager(address(store), version=store.version - 1)
    assert older.symbols() == ("AAA",)
    assert older.refresh() == store.version - 1
    newest = DataManager(address(store))
    assert newest.version == store.version
    store.write_bars("C", "1m", minute_bars("C"))
    assert newest.refresh() == store.version
    assert newest.symbols() == ("AAA", "B", "C")
    with pytest.raises(StoreError, match=rf"no version 99 that can be read, the latest is {store.version}"):
        DataManager(address(store), version=99).symbols()


def test_what_is_not_there_is_said(store: DataManager) -> None:
    assert not DataManager("s3://bucket/none").exists()
    with pytest.raises(StoreError, match="there is no bar store at s3://bucket/none"):
        DataManager("s3://bucket/none").symbols()
    remote = DataManager(address(store))
    assert remote.version == store.version
    for file in store.path.rglob("*.parquet"):
        file.unlink()
    with pytest.raises(StoreError, match=r"the store's file s3://bucket/.*/interval=1m.*cannot be read"):
        remote.symbols()


def test_refused_keys_are_said_without_them(store: DataManager, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "another")
    with pytest.raises(StoreError, match=r"s3://bucket/\S* cannot be read") as caught:
        DataManager(address(store)).symbols()
    assert "secret-for-tests" not in str(caught.value)


def test_nothing_is_written_to_an_object_store() -> None:
    remote = DataManager("s3://bucket/bars")
    for write in (
        lambda: remote.write_bars("AAA", "1m", minute_bars("AAA")),
        lambda: remote.write_block(
            "1m", MemoryBars.of(minute_bars("AAA")).read_block("1m", 0, us("16:00"), ["AAA"])
        ),
        remote.make,
        remote.compact,
        lambda: remote.path,
    ):
        with pytest.raises(StoreError, match="s3://bucket/bars can only be read"):
            write()


def test_a_file_address_is_the_folder(tmp_path: Path) -> None:
    folder = tmp_path / "a folder"
    data = DataManager(folder.as_uri())
    assert "%20" in folder.as_uri()
    data.write_bars("AAA", "1m", minute_bars("AAA"))
    assert data.path == folder
    assert DataManager(folder).symbols() == ("AAA",)


@pytest.mark.parametrize(
    ("address", "what"),
    [
        ("http://host/bars", r"http://host/bars is no place for a store; allowed: a folder, .*file://, s3://"),
        ("s3:///bars", r"names no bucket; allowed: s3://bucket/path"),
        ("s3://id:secret@bucket/bars", r"s3://bucket/bars of the store holds more than a place.* environment"),
        ("az://box/bars?sig=secret", r"az://box/bars of the store holds more than a place"),
        ("file://host/bars", r"names a folder of another machine; allowed: file:///folder"),
    ],
)
def test_an_address_that_is_no_store_is_refused_without_its_secrets(address: str, what: str) -> None:
    with pytest.raises(StoreError, match=what) as caught:
        DataManager(address)
    assert "secret" not in str(caught.value)

"""What notebooks show: bounded, escaped, and the same figures as the summary."""

from __future__ import annotations

from datetime import date

import pytest
from tests.conftest import MakeSystem
from tests.runs import DAY, config, minute_bars

from mismartera import DataManager, SystemManager
from mismartera.system.notebook import QualityRow, QualityTable, run_html


@pytest.fixture
def system(make_system: MakeSystem) -> SystemManager:
    made = make_system(config("AAA", "FIFTEEN", "UNKNOWN"))
    made.run()
    return made


def test_quality_is_a_table_of_the_summarys_figures(system: SystemManager) -> None:
    table = system.quality()
    assert list(table) == [
        QualityRow("AAA", date.fromisoformat(DAY), "1m", 390, 390, 100.0),
        QualityRow("FIFTEEN", date.fromisoformat(DAY), "1m", 390, 15, 100.0 * 15 / 390),
    ]
    assert table[1].present == 15
    assert len(table[:1]) == 1


def test_quality_as_frames(system: SystemManager) -> None:
    table = system.quality()
    assert table.to_polars().rows() == [tuple(row) for row in table]
    assert table.to_pandas()["present"].tolist() == [390, 15]
    assert QualityTable([]).to_polars().columns == list(QualityRow._fields)


def test_a_notebook_shows_the_worst_quality_first_and_no_more_than_it_may(system: SystemManager) -> None:
    assert system.quality()._repr_html_().index("FIFTEEN") < system.quality()._repr_html_().index("AAA")
    many = QualityTable([QualityRow(f"S{k}", date(2024, 7, 2), "1m", 390, k, k / 3.9) for k in range(300)])
    assert many._repr_html_().count("<tr>") == 21
    assert "20 of 300 rows" in many._repr_html_()


def test_a_notebook_shows_how_a_run_ended(system: SystemManager) -> None:
    shown = system._repr_html_()
    assert "session (finished)" in shown
    assert "UNKNOWN is unknown to the store" in shown


def test_texts_in_a_notebook_are_escaped(system: SystemManager) -> None:
    summary = system.summary() | {"strategy_errors": [{"strategy": "<b>", "error": "<img src=x>"}]}
    shown = run_html("<script>", "finished", summary)
    assert "&lt;script&gt;" in shown
    assert "<img" not in shown and "<b>" not in shown


def test_a_notebook_shows_the_first_and_last_bars(system: SystemManager, market: DataManager) -> None:
    bars = system.session_data.get_bars("AAA", "1m", internal=True)
    assert bars is not None
    shown = bars._repr_html_()
    assert shown.count("<tr>") == 21
    assert "20 of 390 rows" in shown
    first, last = minute_bars("AAA")[0], minute_bars("AAA")[-1]
    assert first.timestamp.isoformat(" ") in shown
    assert last.timestamp.isoformat(" ") in shown
    assert bars[:3]._repr_html_().count("<tr>") == 4

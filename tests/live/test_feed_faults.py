"""What goes wrong between the vendor and us, over real sockets. Ids are those of FAULTS: F01 and on."""

from __future__ import annotations

from tests.live.conftest import MakeStage
from tests.live.markets import draw


def test_a_day_without_faults_is_that_of_a_backtest(make_stage: MakeStage) -> None:
    stage = make_stage(draw())
    stage.play()
    assert stage.summary["sessions"] == 1


def test_f01_a_mute_stream_is_found_and_replaced(make_stage: MakeStage) -> None:
    stage = make_stage(draw())
    stage.set("10:05:20", mute=True)
    stage.set("10:10:00", mute=False)
    stage.play()
    assert stage.log.of("session_deactivated", reason="stale")
    assert len(stage.log.of("feed_connected")) >= 2

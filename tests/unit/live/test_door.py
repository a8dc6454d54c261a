"""What reaches the intake, and in which step."""

from __future__ import annotations

from mismartera.live.door import IntakeDoor


def carry_out(door: IntakeDoor) -> None:
    door.begin()
    while (order := door.next_order()) is not None:
        order()


def test_an_order_that_comes_of_what_a_step_tells_waits_for_the_next_step() -> None:
    # Else a replay, which takes a step as a whole, asks for an order whose cause it has not seen yet.
    door, done = IntakeDoor(lambda: None), list[str]()

    def told() -> None:
        done.append("first")
        door.put(lambda: done.append("answer"))

    door.put(told)
    door.put(lambda: done.append("second"))
    carry_out(door)
    assert done == ["first", "second"]
    assert door.has_work, "nobody sleeps while an order waits"
    carry_out(door)
    assert done == ["first", "second", "answer"]
    assert not door.has_work


def test_orders_that_a_step_did_not_take_are_left_whole() -> None:
    door, done = IntakeDoor(lambda: None), list[int]()
    door.put(lambda: done.append(1))
    door.begin()  # a step on the feed's thread takes none
    door.put(lambda: done.append(2))
    carry_out(door)
    assert done == [1, 2]

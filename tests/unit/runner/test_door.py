"""Of thousands of workers only some ask for work at one time, and none is forgotten."""

import asyncio

from hypothesis import given
from hypothesis import strategies as st

from tau.runner.claim_gate import ClaimGate


@given(st.integers(1, 4), st.lists(st.tuples(st.integers(0, 9), st.booleans()), max_size=60))
def test_never_more_inside_than_places_and_free_places_wake_the_line(
    places: int, steps: list[tuple[int, bool]]
) -> None:
    door = ClaimGate(places)
    wakes = [asyncio.Event() for _ in range(10)]
    inside: set[int] = set()
    line: list[int] = []
    for who, leaves in steps:
        if who in inside:
            if leaves:
                inside.remove(who)
                door.leave()
        elif who in line and leaves:  # woken by something else
            line.remove(who)
            door.give_up(wakes[who])
        elif who not in line or wakes[who].is_set():
            wakes[who].clear()
            if who in line:
                line.remove(who)
            (inside.add if door.enter(wakes[who]) else line.append)(who)
        assert len(inside) <= places
        if len(inside) < places and line:
            assert any(wakes[each].is_set() for each in line), "a place is free, and nobody knows"


async def test_all_get_in_after_one_another() -> None:
    door = ClaimGate(3)
    done: list[int] = []
    most = now = 0

    async def ask(number: int) -> None:
        nonlocal most, now
        wake = asyncio.Event()
        while not door.enter(wake):
            await wake.wait()
            wake.clear()
        now += 1
        most = max(most, now)
        await asyncio.sleep(0)
        now -= 1
        door.leave()
        done.append(number)

    async with asyncio.timeout(10):
        await asyncio.gather(*(ask(number) for number in range(500)))
    assert (sorted(done), most) == (list(range(500)), 3)

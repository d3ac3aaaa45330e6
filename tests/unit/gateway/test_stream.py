"""Channels: all first, then changes; resumable, bounded, one reader for everybody."""

import asyncio
import json
import zlib
from collections.abc import AsyncIterator, Mapping

import pytest

from tau.gateway import stream
from tau.gateway.answers import Refused
from tau.gateway.stream import Channel, Hub, Parts, compressed, event


class Source:
    """Something that changes when a test says so."""

    def __init__(self) -> None:
        self.parts: dict[str, bytes] = {"a": b"1", "b": b"1"}
        self.asked = 0

    async def produce(self) -> Mapping[str, bytes]:
        self.asked += 1
        return dict(self.parts)

    def channel(self, period_s: float = 0.01) -> Channel:
        return Channel(self.produce, encode, first=100, period_s=period_s)


def encode(number: int, parts: Parts, whole: bool) -> bytes:
    found = {"n": number, "whole": whole, **{name: part.decode() for name, part in parts.items()}}
    return json.dumps(found).encode() + b"\n"


async def read(events: AsyncIterator[bytes]) -> list[dict[str, object]]:
    async with asyncio.timeout(60):
        return [json.loads(line) for line in (await anext(events)).splitlines() if line]


async def test_all_comes_first_then_only_what_changed() -> None:
    source = Source()
    events = source.channel().listen()
    assert await read(events) == [{"n": 101, "whole": True, "a": "1", "b": "1"}]
    source.parts["b"] = b"2"
    assert await read(events) == [{"n": 102, "whole": False, "b": "2"}]
    await events.aclose()  # type: ignore[attr-defined]


async def test_a_client_that_comes_back_gets_what_it_missed() -> None:
    source = Source()
    channel = source.channel()
    first = channel.listen()
    await read(first)
    for value in (b"2", b"3"):
        source.parts["a"] = value
        await read(first)
    hello = lambda resumed: json.dumps({"resumed": resumed}).encode() + b"\n"  # noqa: E731
    again = channel.listen(seen=102, hello=hello)
    assert await read(again) == [{"resumed": True}]
    assert await read(again) == [{"n": 103, "whole": False, "a": "3"}]
    lost = channel.listen(seen=7, hello=hello)
    assert await read(lost) == [{"resumed": False}]
    assert await read(lost) == [{"n": 103, "whole": True, "a": "3", "b": "1"}]
    for one in (first, again, lost):
        await one.aclose()  # type: ignore[attr-defined]


async def test_a_thousand_listeners_cost_one_reader() -> None:
    source = Source()
    channel = source.channel(period_s=0.05)
    listeners = [channel.listen() for _ in range(1000)]
    for one in listeners:
        await anext(one)
    before = source.asked
    source.parts["a"] = b"2"
    assert {tuple((await read(one))[0].items()) for one in listeners} == {
        (("n", 102), ("whole", False), ("a", "2"))
    }
    assert source.asked - before < 100
    for one in listeners:
        await one.aclose()  # type: ignore[attr-defined]
    assert channel.listeners == 0
    async with asyncio.timeout(60):  # until it has noticed that nobody listens any more
        settled = -1
        while source.asked != settled:
            settled = source.asked
            await asyncio.sleep(0.2)


async def test_a_slow_client_is_given_the_whole_instead_of_a_backlog() -> None:
    source = Source()
    channel = source.channel(period_s=0)
    slow, quick = channel.listen(), channel.listen()
    await read(slow)
    await read(quick)
    for value in range(2, 40):
        source.parts["a"] = str(value).encode()
        await read(quick)
    found = await read(slow)
    assert found == [{"n": 139, "whole": True, "a": "39", "b": "1"}]
    for one in (slow, quick):
        await one.aclose()  # type: ignore[attr-defined]


async def test_who_comes_does_not_make_others_be_told_more_often() -> None:
    source = Source()
    channel = source.channel(period_s=60)
    first = channel.listen()
    await read(first)
    others = []
    for value in range(2, 12):
        source.parts["a"] = str(value).encode()
        others.append(channel.listen())
        assert await read(others[-1]) == [{"n": 101, "whole": True, "a": "1", "b": "1"}]
    assert source.asked == 1
    for one in (first, *others):
        await one.aclose()  # type: ignore[attr-defined]


async def test_where_looking_takes_long_it_is_done_less_often() -> None:
    source, began, rests = Source(), [], []
    loop = asyncio.get_running_loop()

    async def slow() -> Mapping[str, bytes]:
        began.append(loop.time())
        source.parts["a"] = str(len(began)).encode()
        await asyncio.sleep(0.05)
        rests.append(loop.time())
        return dict(source.parts)

    events = Channel(slow, encode, first=1, period_s=0).listen()
    for _ in range(4):
        await read(events)
    await events.aclose()  # type: ignore[attr-defined]
    worked = [end - start for start, end in zip(began, rests, strict=False)][1:3]
    rested = [start - end for start, end in zip(began[2:], rests[1:], strict=False)][:2]
    assert all(rest > 5 * work for rest, work in zip(rested, worked, strict=True))


async def test_a_reader_that_breaks_lets_its_clients_go() -> None:
    source = Source()
    channel = source.channel()
    events = channel.listen()
    await read(events)
    source.parts = None  # type: ignore[assignment]
    async with asyncio.timeout(60):
        with pytest.raises(StopAsyncIteration):
            await anext(events)


async def test_silence_is_kept_alive_and_who_is_no_longer_welcome_is_let_go() -> None:
    answers = [True, False]

    async def welcome() -> bool:
        return answers.pop(0)

    listening = Source().channel()
    events = listening.listen(welcome=welcome, keep_alive_s=0.02, recheck_s=0.05)
    await read(events)
    assert await anext(events) == b": keep-alive\n\n"
    async with asyncio.timeout(30):
        assert {event async for event in events} <= {b": keep-alive\n\n"}
    assert answers == []


async def test_who_is_told_something_all_the_time_is_asked_again_too() -> None:
    async def unwelcome() -> bool:
        return False

    source = Source()
    channel = source.channel()
    events = channel.listen(welcome=unwelcome, recheck_s=0.2)
    await read(events)
    told = 0
    source.parts = {"a": b"first"}
    async with asyncio.timeout(30):
        async for _ in events:
            told += 1
            source.parts = {"a": str(told).encode()}
    assert told > 1


async def test_closing_ends_every_stream() -> None:
    hub, source = Hub(), Source()
    events = hub.channel("/live", source.channel).listen()
    await read(events)
    hub.close()
    with pytest.raises(StopAsyncIteration):
        await anext(events)


async def test_too_many_streams_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stream, "MOST_LISTENERS", 1)
    hub, source = Hub(), Source()
    events = hub.channel("/live", source.channel).listen()
    await read(events)
    with pytest.raises(Refused, match="too many streams"):
        hub.channel("/other", source.channel)
    await events.aclose()  # type: ignore[attr-defined]


@pytest.mark.parametrize("text", ["a\nb", "a\r\nevent: x", "a\rid: 7", "\n\nretry: 1"])
def test_no_text_can_forge_an_event(text: str) -> None:
    lines = event("n", text.encode()).decode().splitlines()
    assert [line.partition(":")[0] for line in lines if line][1:] == ["data"] * (len(lines) - 2)


async def test_the_last_state_is_told_before_a_channel_ends() -> None:
    source = Source()
    channel = source.channel(period_s=60)
    events = channel.listen()
    await read(events)
    source.parts["a"] = b"the decision"
    await channel.finish()
    last = b"".join([one async for one in events])
    assert b"the decision" in last
    assert last.endswith(b"event: end\ndata: end\n\n")


async def test_compressed_events_are_whole_as_soon_as_they_are_there() -> None:
    async def events() -> AsyncIterator[bytes]:
        for n in range(3):
            yield event(None, b"x" * 1000 + str(n).encode())

    unpacker = zlib.decompressobj(31)
    sent = 0
    seen = []
    async for piece in compressed(events()):
        sent += len(piece)
        seen.append(unpacker.decompress(piece))
    assert [one.count(b"data: ") for one in seen] == [1, 1, 1, 0]
    assert sent < 300

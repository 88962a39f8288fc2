"""Timers: what falls due without a frame is done in time, and nothing wakes for nothing."""

import asyncio
import json
from typing import Any

import pytest
from support.frames import SETTINGS, STATUS, status
from support.publishing_bms import make_pipeline
from support.virtual_time import current_loop, run_in_virtual_time

from recbms_zmq.clock import Instant
from recbms_zmq.reporting.batch import Batch
from recbms_zmq.service.fleet import Bms, advance_when_due, is_overdue
from recbms_zmq.service.timer import Timer
from recbms_zmq.sources import LiveSource, Receiver

WALL = 1.8e9
HOUR = 3600.0


class VirtualSource(LiveSource):
    """A source whose clock is the loop's."""

    sends_settings = True

    def now(self) -> Instant:
        now = asyncio.get_running_loop().time()
        return Instant(now, WALL + now)

    async def run(self, receiver: Receiver) -> None:
        raise NotImplementedError


class Service:
    """One BMS with its timer, and what is published when."""

    def __init__(self, **options: Any) -> None:
        self.published: list[tuple[float, str, Any]] = []
        pipeline = make_pipeline(self._publish, **options)
        self.bms = Bms(VirtualSource(), pipeline)
        pipeline.start(self.bms.source.now())
        self.timers = asyncio.create_task(advance_when_due([self.bms]))

    async def frame(self, text: str = STATUS) -> None:
        self.bms.pipeline.received(text.encode(), self.bms.source.now())

    def of(self, key: str) -> list[tuple[float, Any]]:
        return [(when, value) for when, each, value in self.published if each == key]

    def _publish(self, batch: Batch) -> None:
        now = asyncio.get_running_loop().time()
        for _, body, _ in batch.messages:
            message = json.loads(body)
            self.published.append((now, message["key"], message["payload"]))


def test_a_timer_fires_at_the_earliest_time_that_was_set() -> None:
    async def main() -> list[float]:
        loop, fired = current_loop(), []
        timer = Timer(lambda: fired.append(loop.time()))
        timer.set(20.0)
        timer.set(10.0)
        timer.set(15.0)
        await asyncio.sleep(12.0)
        timer.set(13.0)
        await asyncio.sleep(5.0)
        timer.set(18.0)
        timer.cancel()
        timer.set(19.0)
        await asyncio.sleep(10.0)
        return fired

    assert run_in_virtual_time(main()) == [10.0, 13.0, 19.0]


def test_a_timer_can_be_set_for_the_past_and_while_it_fires() -> None:
    async def main() -> list[float]:
        loop, fired = current_loop(), []

        def call() -> None:
            fired.append(loop.time())
            if len(fired) < 3:
                timer.set(loop.time() + 7.0)

        timer = Timer(call)
        await asyncio.sleep(5.0)
        timer.set(1.0)
        await asyncio.sleep(100.0)
        return fired

    assert run_in_virtual_time(main()) == [5.0, 12.0, 19.0]


def test_a_bms_that_is_away_wakes_the_process_for_its_refresh_only() -> None:
    async def main() -> tuple[Service, list[float]]:
        service = Service(refresh=60.0)
        await asyncio.sleep(HOUR + 1)
        return service, current_loop().wakes

    service, wakes = run_in_virtual_time(main())
    times = [60.0 * minute for minute in range(61)]
    assert service.of("availability") == [(when, "offline") for when in times]
    assert wakes == [*times[1:], HOUR + 1]


def test_frames_leave_the_timer_alone_but_for_one_call_in_each_timeout() -> None:
    async def main() -> int:
        service = Service(refresh=60.0, stale_after=30.0)
        for second in range(int(HOUR)):
            await service.frame(status(soc=second / HOUR))
            await asyncio.sleep(1.0)
        return len(current_loop().wakes)

    # Some of these wakes are those of the frames, too.
    assert run_in_virtual_time(main()) <= HOUR + HOUR / 30 + HOUR / 60


def test_what_falls_due_is_published_when_it_is_due() -> None:
    async def main() -> Service:
        service = Service(refresh=60.0, stale_after=30.0, min_interval=10.0)
        await asyncio.sleep(5.0)
        await service.frame(SETTINGS)
        await service.frame(status(soc=0.1))
        await asyncio.sleep(3.0)
        await service.frame(status(soc=0.2))  # held until 15
        await asyncio.sleep(3.0)
        await service.frame(SETTINGS.replace('"cmin":', '"cmin":1'))  # held as well
        await asyncio.sleep(100.0)
        return service

    service = run_in_virtual_time(main())
    assert service.of("soc") == [(5.0, 10.0), (15.0, 20.0)]
    assert [when for when, _ in service.of("settings/cell_voltage_limit_low")] == [5.0, 15.0]
    assert service.of("availability") == [
        (0.0, "offline"),
        (5.0, "online"),
        (38.0, "offline"),
        (98.0, "offline"),
    ]


def test_after_the_last_offline_nothing_is_due() -> None:
    async def main() -> list[float]:
        service = Service()
        await service.frame()
        service.bms.pipeline.stop(service.bms.source.now())
        await asyncio.sleep(HOUR)
        return current_loop().wakes

    assert len(run_in_virtual_time(main())) <= 2


def test_an_error_of_a_pipeline_ends_the_task_of_the_timers() -> None:
    async def main() -> None:
        # Of two errors in the same turn of the loop, the second one is no error of the timer.
        current_loop().set_exception_handler(lambda _, context: unhandled.append(context))
        services = [Service(), Service()]
        fleet = [service.bms for service in services]

        def broken(_: Batch) -> None:
            raise RuntimeError("made by the test")

        for service in services:
            service.timers.cancel()
            service.bms.pipeline._publish_batch = broken
        await advance_when_due(fleet)

    unhandled: list[dict[str, Any]] = []
    with pytest.raises(RuntimeError, match="made by the test"):
        run_in_virtual_time(main())
    assert unhandled == []


def test_a_bms_is_overdue_when_neither_frames_nor_timers_are_processed() -> None:
    async def main() -> list[bool]:
        service = Service(stale_after=30.0)
        await service.frame()
        await asyncio.sleep(29.0)
        service.timers.cancel()
        overdue = []
        for seconds in (10.0, 1.0):
            await asyncio.sleep(seconds)
            overdue.append(is_overdue(service.bms))
        await service.frame()
        return [*overdue, is_overdue(service.bms)]

    assert run_in_virtual_time(main()) == [False, True, False]

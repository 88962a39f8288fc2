"""How long `check` reads a BMS."""

import pytest
from support.frames import SETTINGS, STATUS
from support.virtual_time import Timetable, current_loop, run_in_virtual_time

from recbms_zmq.check.probe import Probe
from recbms_zmq.sources import Receiver

FOUR = {1.0: STATUS, 2.0: STATUS, 3.0: STATUS, 4.0: STATUS}


class Unreachable(Timetable):
    """Fails to connect after a second, again and again."""

    async def run(self, receiver: Receiver) -> None:
        while True:
            await super().run(receiver)
            receiver.disconnected("connection refused", self.now())
            self._frames = {self.now().monotonic + 1.0: ""}


@pytest.mark.parametrize(
    ("frames", "stay", "ends", "count"),
    [
        (FOUR, False, 1.0, 1),
        (FOUR, True, 6.0, 4),  # five seconds after the first one: settings may come
        (FOUR | {1.5: SETTINGS}, True, 4.0, 4),
        (FOUR | {4.5: SETTINGS, 5.0: STATUS}, True, 4.5, 4),
        ({1.0: STATUS, 5.0: STATUS, 7.0: STATUS}, True, 6.0, 2),
        ({1.0: STATUS, 2.0: ""}, True, 2.0, 1),  # the source has ended
        ({2.0: ""}, True, 2.0, 0),
        ({11.0: STATUS}, True, 10.0, 0),
        ({9.0: STATUS, 9.5: STATUS}, True, 14.0, 2),
    ],
)
def test_it_stays_for_the_rate_of_frames_and_the_settings_but_not_for_long(
    frames: dict[float, str], stay: bool, ends: float, count: int
) -> None:
    async def main() -> tuple[float, int]:
        probe = Probe(Timetable(dict(sorted(frames.items()))))
        await probe.run(10.0, stay=stay)
        return current_loop().time(), len(probe.arrivals)

    when, found = run_in_virtual_time(main())
    assert when == pytest.approx(ends)
    assert found == count


def test_older_firmware_has_one_status_and_no_settings_to_wait_for() -> None:
    async def main() -> float:
        await Probe(Timetable({1.0: STATUS}, sends_settings=False)).run(10.0, stay=True)
        return current_loop().time()

    assert run_in_virtual_time(main()) == 1.0


@pytest.mark.parametrize(("retry", "ends"), [(False, 1.0), (True, 10.0)])
def test_a_failed_connection_is_tried_again_unless_many_addresses_are_asked(
    retry: bool, ends: float
) -> None:
    async def main() -> tuple[float, list[str]]:
        probe = Probe(Unreachable({1.0: ""}))
        await probe.run(10.0, stay=True, retry=retry)
        return current_loop().time(), probe.failures

    assert run_in_virtual_time(main()) == (ends, ["connection refused"])

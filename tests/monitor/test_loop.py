"""When the view is drawn: after a change, a few times a second at most, and rarely at rest."""

import asyncio

import pytest
from support.virtual_time import current_loop, run_in_virtual_time

from recbms_zmq.monitor.loop import Changes, until

Steps = list[tuple[float, str]]


@pytest.mark.parametrize(
    ("steps", "drawn"),
    [
        pytest.param([], [0, 1, 2, 3], id="at rest, for the age of the data"),
        pytest.param([(0.05, "change"), (0.1, "change")], [0, 0.2, 1.2, 2.2, 3.2], id="a frame"),
        pytest.param([(0.5, "change")], [0, 0.5, 1.5, 2.5], id="a late change"),
        pytest.param(
            [(0.01 + at / 20, "change") for at in range(14)],
            [0, 0.2, 0.4, 0.6, 0.8, 1.8, 2.8],
            id="a flood",
        ),
        pytest.param([(0.05, "key"), (0.1, "key")], [0, 0.05, 0.1, 1.1, 2.1, 3.1], id="keys"),
    ],
)
def test_the_view_is_drawn_soon_after_a_change_and_rarely_at_rest(
    steps: Steps, drawn: list[float]
) -> None:
    async def main() -> list[float]:
        loop = current_loop()
        changes = Changes()
        ended: asyncio.Future[None] = loop.create_future()
        seen: list[float] = []
        for at, what in steps:
            loop.call_at(at, changes.urgent if what == "key" else changes.notify)
        loop.call_at(3.4, ended.set_result, None)
        await until(ended, [], changes, lambda: seen.append(loop.time()))
        return seen

    assert run_in_virtual_time(main()) == pytest.approx(drawn)

"""When a replay is due, and what it holds."""

from collections.abc import Iterable, Iterator

import pytest
from support.retained import Topic

from recbms_zmq.reporting.batch import Retained
from recbms_zmq.sinks.replay import ReplayPlan

TOPICS = [b"recbms/main/%d" % number for number in range(10)]
STATE = [Topic(topic) for topic in TOPICS]


def topics(messages: Iterable[Retained]) -> list[bytes]:
    return [message.topic for message in messages]


def replayed(plan: ReplayPlan, now: float) -> list[bytes]:
    """Return the topics of a replay at this time, without messages if none is due."""
    due = plan.due
    if due is None or due > now:
        return []
    return topics(plan.replay(STATE, now))


def test_the_first_subscription_is_answered_at_once_with_what_it_matches() -> None:
    plan = ReplayPlan()
    assert plan.due is None
    plan.add(b"recbms/main/3")
    plan.add(b"recbms/boat/")
    assert plan.due is not None
    assert plan.due <= 100
    assert topics(plan.replay(STATE, 100)) == [b"recbms/main/3"]
    assert plan.due is None


def test_messages_are_replayed_in_the_order_of_the_state() -> None:
    plan = ReplayPlan()
    for number in (7, 2, 5):
        plan.add(b"recbms/main/%d" % number)
    assert replayed(plan, 100) == [b"recbms/main/2", b"recbms/main/5", b"recbms/main/7"]


def test_a_prefix_is_replayed_once_a_second_for_all_who_ask_meanwhile() -> None:
    plan = ReplayPlan()
    plan.add(b"recbms/main/3")
    assert replayed(plan, 100) == [b"recbms/main/3"]
    for at in (100.1, 100.5, 100.9):
        plan.add(b"recbms/main/3")
        assert replayed(plan, at) == []
    assert plan.due == 101
    assert replayed(plan, 101) == [b"recbms/main/3"]
    assert plan.due is None
    plan.add(b"recbms/main/3")
    assert plan.due == 102


def test_another_prefix_does_not_wait_unless_one_that_came_earlier_does() -> None:
    plan = ReplayPlan()
    plan.add(b"recbms/main/3")
    assert replayed(plan, 100)
    plan.add(b"recbms/main/4")
    assert replayed(plan, 100.1) == [b"recbms/main/4"]
    plan.add(b"recbms/main/3")
    plan.add(b"recbms/main/5")
    assert replayed(plan, 100.2) == []
    assert replayed(plan, 101) == [b"recbms/main/3", b"recbms/main/5"]


def prefixes_of_all_lengths() -> Iterator[bytes]:
    while True:
        yield from (b"recbms/main/"[:length] for length in range(13))


def prefixes_of_single_topics() -> Iterator[bytes]:
    while True:
        yield from TOPICS


@pytest.mark.parametrize("prefixes", [prefixes_of_all_lengths(), prefixes_of_single_topics()])
def test_a_client_that_subscribes_in_a_loop_causes_at_most_one_state_a_second(
    prefixes: Iterator[bytes],
) -> None:
    plan = ReplayPlan()
    sent = 0
    for millisecond in range(20_000):
        plan.add(next(prefixes))
        sent += len(replayed(plan, 100 + millisecond / 1000))
    assert sent <= (20 + 3) * len(STATE)
    assert sent >= 18 * len(STATE)  # an innocent one is answered in time, too


@pytest.mark.parametrize("size", [1, 10])
def test_a_small_state_is_replayed_once_a_second_with_two_seconds_in_reserve(size: int) -> None:
    plan = ReplayPlan()
    for length in range(3):
        plan.add(b"recbms"[:length])
        assert plan.replay(STATE[:size], 100) == STATE[:size]
    plan.add(b"recbms")
    assert plan.due == 101


def test_a_large_state_is_replayed_at_a_bounded_rate() -> None:
    state = [Topic(b"%06d" % number) for number in range(60_000)]
    plan = ReplayPlan()
    dues = []
    for length in range(4):  # prefixes that are none of another
        plan.add(b"0" * length)
        assert plan.due is not None
        dues.append(max(plan.due, 100.0))
        plan.replay(state, dues[-1])
    # 60,000 messages are three seconds of the rate, and two may be spent at once.
    assert dues[0] == 100
    assert dues[1] == pytest.approx(101)


def test_a_flood_of_prefixes_is_answered_with_the_whole_state() -> None:
    plan = ReplayPlan()
    for number in range(64):
        plan.add(b"nothing %d" % number)
    assert plan.replay(STATE, 100) == []
    for number in range(65):
        plan.add(b"nothing else %d" % number)
    assert plan.replay(STATE, 200) == STATE


def test_without_a_state_nothing_is_replayed() -> None:
    plan = ReplayPlan()
    plan.add(b"")
    assert plan.replay((), 100) == []
    plan.add(b"")
    assert plan.due == 101

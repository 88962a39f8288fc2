"""How many subscriptions a connection may have, and which connection is closed for too many."""

import pytest

from recbms_zmq.sinks.subscriptions import (
    MAX_LENGTH,
    TOO_LONG,
    TOO_MANY,
    TOO_OFTEN,
    Subscriptions,
)

Excess = tuple[int, str]


def fill(
    subscriptions: Subscriptions, connection: int, prefixes: range, per_second: int = 1000
) -> tuple[int, Excess | None]:
    """Subscribe until a connection is to be closed; return how many were accepted, and which."""
    for count, number in enumerate(prefixes):
        excess = subscriptions.add(connection, b"recbms/main/%018d" % number, count / per_second)
        if excess is not None:
            return count, excess
    return len(prefixes), None


@pytest.mark.parametrize(
    ("length", "excess"), [(0, None), (MAX_LENGTH, None), (MAX_LENGTH + 1, (7, TOO_LONG))]
)
def test_no_subscription_is_longer_than_a_topic(length: int, excess: Excess | None) -> None:
    assert Subscriptions().add(7, b"x" * length, 0) == excess


def test_a_connection_may_subscribe_to_every_topic_of_two_large_packs_and_not_without_end() -> None:
    accepted, excess = fill(Subscriptions(), 7, range(100_000))
    assert excess == (7, TOO_MANY)
    assert 2 * 811 < accepted < 4_000


def test_longer_subscriptions_cost_more() -> None:
    counts = []
    for length in (10, MAX_LENGTH):
        subscriptions = Subscriptions()
        count = 0
        while subscriptions.add(7, b"%0*d" % (length, count), count / 1000) is None:
            count += 1
        counts.append(count)
    assert counts[0] > 2 * counts[1]


def test_the_same_subscription_costs_once() -> None:
    subscriptions = Subscriptions()
    assert all(subscriptions.add(7, b"recbms/", at / 500) is None for at in range(10_000))


def test_what_is_cancelled_costs_nothing() -> None:
    subscriptions = Subscriptions()
    for number in range(20_000):
        prefix = b"%020d" % number
        assert subscriptions.add(7, prefix, number / 500) is None
        assert subscriptions.remove(7, prefix, number / 500) is None
    assert subscriptions.remove(8, b"never subscribed", 1000) is None


def test_all_connections_together_have_a_limit_and_the_largest_one_is_closed() -> None:
    subscriptions = Subscriptions()
    fill(subscriptions, 1, range(3_000, 3_100))
    closed: Excess | None = None
    total = 0
    for connection in range(2, 50):
        accepted, closed = fill(
            subscriptions, connection, range(connection * 10_000, connection * 10_000 + 2_000)
        )
        total += accepted
        if closed is not None:
            break
    assert closed is not None
    assert closed[0] >= 2
    assert closed[1] == TOO_MANY
    assert 9_000 < total < 10_000
    subscriptions.close(closed[0])
    assert subscriptions.add(1, b"one more", 1000) is None


def test_the_same_topics_for_many_connections_count_once() -> None:
    subscriptions = Subscriptions()
    for connection in range(100):
        assert fill(subscriptions, connection, range(811)) == (811, None)


def test_a_connection_that_ends_leaves_nothing() -> None:
    subscriptions = Subscriptions()
    for connection in range(100):
        accepted, _ = fill(subscriptions, connection, range(100_000))
        assert accepted > 1000
        subscriptions.close(connection)
    assert not any(vars(subscriptions)[name] for name in ("_prefixes", "_costs", "_holders"))
    assert subscriptions._total == 0
    subscriptions.close(1234)


def test_one_that_subscribes_and_cancels_without_a_pause_is_closed() -> None:
    subscriptions = Subscriptions()
    for count in range(5_000):
        assert subscriptions.add(7, b"", count / 5_000) is None
        assert subscriptions.remove(7, b"", count / 5_000) is None
    assert subscriptions.add(8, b"", 1) is None
    assert subscriptions.add(7, b"", 1) == (7, TOO_OFTEN)
    assert subscriptions.add(7, b"", 9.9) == (7, TOO_OFTEN)
    assert subscriptions.add(7, b"", 10) is None

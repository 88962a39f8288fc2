"""Which lines `listen` prints, and when."""

import os
import socket
import sys
import threading

import pytest
import zmq
from support.monitored_bms import MonitoredBms
from support.waiting import PATIENCE
from support.zmtp import greet

from recbms_zmq.client import subscriber as subscribing
from recbms_zmq.client.lines import Lines, print_lines
from recbms_zmq.client.silence import Silence
from recbms_zmq.client.subscriber import Subscriber
from recbms_zmq.sensors.selection import Selection


@pytest.mark.parametrize(
    ("form", "most", "printed"),
    [
        ("json", 4, 4),
        ("json", None, 10),
        ("text", 4, 4),
        ("text", None, 6),
        ("csv", 2, 3),
        ("csv", None, 4),
    ],
)
def test_no_more_lines_are_printed_than_asked_for(
    form: str, most: int | None, printed: int, capsysbinary: pytest.CaptureFixture[bytes]
) -> None:
    lines = Lines(form, most)
    for name in ("a", "b", "c"):
        bms = MonitoredBms(name=name, emit="snapshot")
        bms.status()
        for body in bms.bodies.values():
            lines.take(body, 0.0)
    lines.take(b"of another program", 0.0)
    lines.advance(lines.due)
    lines.flush()
    assert lines.is_full == (most is not None)
    assert capsysbinary.readouterr().out.count(b"\n") == printed


def test_a_message_is_printed_at_once_and_one_of_another_program_is_not(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    reading, writing = os.pipe()
    printed: list[bytes] = []
    with (
        os.fdopen(writing, "w") as stdout,
        zmq.Context() as context,
        context.socket(zmq.XPUB) as pub,
        Subscriber(context) as subscriber,
    ):
        monkeypatch.setattr(sys, "stdout", stdout)
        pub.set(zmq.LINGER, 0)
        pub.bind("tcp://127.0.0.1:*")
        endpoint = pub.get_string(zmq.LAST_ENDPOINT)
        subscriber.socket.subscribe("")
        subscriber.connect(endpoint)

        def publish() -> None:
            pub.recv()  # the subscription
            for parts in ([b"a/b/soc"], [b"a/b/soc", b"0", b"0"], [b"a/b/soh", b"0"]):
                pub.send_multipart(parts)
            for body in (b"1", b"2"):
                pub.send_multipart([b"a/b/soc", body])
                printed.append(os.read(reading, 100))

        thread = threading.Thread(target=publish, daemon=True)
        thread.start()
        silence = Silence([endpoint], [""])
        print_lines(subscriber, Selection(["soc"], []), Lines("json", 2), PATIENCE, silence)
        thread.join(PATIENCE)
    os.close(reading)
    assert printed == [b"1\n", b"2\n"]


def test_a_service_that_has_lost_power_does_not_seem_connected(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(subscribing, "_HEARTBEAT_MS", 50)
    monkeypatch.setattr(subscribing, "_HEARTBEAT_TIMEOUT_MS", 100)
    with (
        socket.create_server(("127.0.0.1", 0)) as server,
        zmq.Context() as context,
        Subscriber(context) as subscriber,
    ):
        endpoint = f"tcp://127.0.0.1:{server.getsockname()[1]}"
        subscriber.connect(endpoint)
        silent, _ = server.accept()
        with silent:
            greet(silent, b"PUB")
            for connected in (True, False):
                assert subscriber.events.poll(int(PATIENCE * 1000))
                assert subscriber.read_event() == (connected, "", endpoint)


def test_the_state_of_a_large_fleet_waits_until_it_is_read() -> None:
    with (
        zmq.Context() as context,
        context.socket(zmq.XPUB) as pub,
        Subscriber(context) as subscriber,
    ):
        pub.set(zmq.SNDHWM, 1)
        pub.set(zmq.XPUB_NODROP, 1)  # what finds no room raises
        pub.bind("inproc://service")
        subscriber.connect("inproc://service")
        subscriber.socket.subscribe("")
        pub.recv()
        for _ in range(50_000):  # 1,000 BMS
            pub.send(b"", zmq.NOBLOCK)

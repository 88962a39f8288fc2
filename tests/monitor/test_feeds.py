"""What reaches the view from services over ZeroMQ, and what is logged of those that are silent."""

import asyncio
import contextlib
import logging

import pytest
import zmq
from support.monitored_bms import MonitoredBms
from support.waiting import PATIENCE

from recbms_zmq.curve import KeyPair
from recbms_zmq.monitor import feeds
from recbms_zmq.monitor.feeds import SubscriberFeed
from recbms_zmq.monitor.model import Model
from recbms_zmq.sinks.publisher import ZmqSink
from recbms_zmq.sinks.zap import Authenticator


def test_services_fill_the_model_and_each_silent_one_is_explained(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(feeds, "SILENCE", 0.1)
    bms = MonitoredBms(device_name="House")
    bms.status()
    foreign = [[b"x"], [b"topic", b"no JSON"], [b"topic", b"{}", b"third"]]
    messages = [*foreign, *([each.topic, body] for each, body in bms.bodies.items())]

    async def main() -> tuple[Model, list[str]]:
        with zmq.Context() as context, contextlib.ExitStack() as stack:
            talking, quiet = (stack.enter_context(context.socket(zmq.XPUB)) for _ in range(2))
            endpoints = []
            for socket in (talking, quiet):
                socket.set(zmq.LINGER, 0)
                socket.bind("tcp://127.0.0.1:*")
                endpoints.append(socket.get_string(zmq.LAST_ENDPOINT))
            guarded = ZmqSink(
                hwm=10,
                max_clients=10,
                authenticator=Authenticator(server=KeyPair(*zmq.curve_keypair())),
            )
            endpoints.append(await guarded.bind("tcp://127.0.0.1:*"))
            guarded.start()
            absent = "ipc:///nowhere/to/be/found"
            model = Model([*endpoints, absent])
            changed = asyncio.Event()
            feed = SubscriberFeed([*endpoints, absent], model, changed.set)
            task = asyncio.create_task(feed.run())
            await asyncio.to_thread(talking.recv)  # the subscription
            for message in messages:
                talking.send_multipart(message)
            async with asyncio.timeout(PATIENCE):
                while len(caplog.messages) < 2 or not model.has_packs(endpoints[0]):
                    changed.clear()
                    await asyncio.wait([asyncio.create_task(changed.wait())], timeout=0.1)
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            guarded.term()
            return model, endpoints

    caplog.set_level(logging.WARNING, "recbms_zmq.monitor")
    model, (talking, quiet, guarded) = asyncio.run(main())
    assert [(pack.name, pack.values) for pack in model.packs] == [("House", bms.pack.values)]
    assert model.refusals == {guarded: "it requires CURVE, or --curve-server-key is not its key"}
    assert model.connected[talking]
    advice = "is recbms-zmq run running there?"
    assert [message for message in caplog.messages if "still waiting" in message] == [
        f"still waiting: connected to {quiet}, but nothing is published there yet",
        f"still waiting: no service answers at ipc:///nowhere/to/be/found; {advice}",
    ]

"""What reaches the view from services over ZeroMQ, and what is logged of those that are silent."""

import asyncio
import contextlib
import logging
import socket

import pytest
import zmq
from support.monitored_bms import MonitoredBms
from support.virtual_time import current_loop, run_in_virtual_time
from support.waiting import PATIENCE

from recbms_zmq.config.load import load
from recbms_zmq.curve import KeyPair
from recbms_zmq.monitor import feeds
from recbms_zmq.monitor.feeds import SourceFeed, SubscriberFeed
from recbms_zmq.monitor.model import Model
from recbms_zmq.sinks.publisher import ZmqSink
from recbms_zmq.sinks.zap import Authenticator
from recbms_zmq.sources import backoff


def test_services_fill_the_model_and_each_silent_one_is_explained(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(feeds, "_MESSAGES_PER_TURN", 2)
    bms = MonitoredBms(device_name="House")
    bms.status()
    foreign = [[b"x"], [b"topic", b"no JSON"], [b"topic", b"{}", b"third"]]
    messages = [*foreign, *([each.topic, body] for each, body in bms.bodies.items())]

    async def main() -> tuple[Model, list[str]]:
        with zmq.Context() as context, contextlib.ExitStack() as stack:
            talking, quiet = (stack.enter_context(context.socket(zmq.XPUB)) for _ in range(2))
            endpoints = []
            for pub in (talking, quiet):
                pub.set(zmq.LINGER, 0)
                pub.bind("tcp://127.0.0.1:*")
                endpoints.append(pub.get_string(zmq.LAST_ENDPOINT))
            guarded = ZmqSink(
                hwm=10,
                max_clients=10,
                authenticator=Authenticator(server=KeyPair(*zmq.curve_keypair())),
            )
            endpoints.append(await guarded.bind("tcp://127.0.0.1:*"))
            guarded.start()
            absent = "ipc:///nowhere/to/be/found"
            model = Model([*endpoints, absent])
            feed = SubscriberFeed([*endpoints, absent], model, lambda: None)
            task = asyncio.create_task(feed.run())
            await asyncio.to_thread(talking.recv)  # the subscription
            for message in messages:
                talking.send_multipart(message)
            async with asyncio.timeout(PATIENCE):
                while (  # noqa: ASYNC110, what is waited for has no event
                    not all(model.connected[each] for each in endpoints[:2])
                    or not model.refusals
                    or [pack.values for pack in model.packs] != [bms.pack.values]
                ):
                    await asyncio.sleep(0.005)
            feed._explain()
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            guarded.term()
            return model, endpoints

    caplog.set_level(logging.WARNING, "recbms_zmq.monitor")
    model, (talking, quiet, guarded) = asyncio.run(main())
    assert [pack.name for pack in model.packs] == ["House"]
    assert model.refusals == {guarded: "it requires CURVE, or --curve-server-key is not its key"}
    assert model.connected[talking]
    advice = "is recbms-zmq run running there?"
    assert [record.message for record in caplog.records if record.name == feeds.__name__] == [
        f"still waiting: connected to {quiet}, but nothing is published there yet",
        f"still waiting: no service answers at ipc:///nowhere/to/be/found; {advice}",
    ]


def test_why_a_bms_is_not_there_is_shown_as_it_changes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(backoff, "FIRST", 0.01)

    async def main() -> None:
        with socket.create_server(("127.0.0.1", 0)) as server:
            url = f"ws://127.0.0.1:{server.getsockname()[1]}/ws"
            model = Model()
            task = asyncio.create_task(
                SourceFeed(load({}, [url], {}).config, model, lambda: None).run()
            )
            async with asyncio.timeout(PATIENCE):
                client, _ = await asyncio.to_thread(server.accept)
                client.sendall(b"SSH-2.0-OpenSSH_9.2\r\n")
                while model.packs[0].reason != "the BMS gave no valid answer":  # noqa: ASYNC110
                    await asyncio.sleep(0.005)
            client.close()
        async with asyncio.timeout(PATIENCE):
            while model.packs[0].reason != "connection refused":  # noqa: ASYNC110
                await asyncio.sleep(0.005)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    asyncio.run(main())


def test_reasons_are_updated_twice_a_second() -> None:
    async def main() -> int:
        feed = SourceFeed(load({}, ["ws://h/ws"], {}).config, Model(), lambda: None)
        task = asyncio.create_task(feed._explain())
        await asyncio.sleep(10.1)
        task.cancel()
        return len(current_loop().wakes)

    assert run_in_virtual_time(main()) == pytest.approx(21, abs=1)

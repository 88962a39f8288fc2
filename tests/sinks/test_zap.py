"""Which clients may subscribe, and how one that may not is named in the log."""

import asyncio
import ipaddress
import logging
import os
from pathlib import Path

import pytest
import zmq
from support.retained import Topic
from support.waiting import PATIENCE
from zmq.utils import z85

from recbms_zmq.curve import KeyPair
from recbms_zmq.reporting.batch import Batch
from recbms_zmq.sinks.publisher import ZmqSink
from recbms_zmq.sinks.zap import Authenticator

SERVER, LISTED, UNLISTED = (KeyPair(*zmq.curve_keypair()) for _ in range(3))
KEYS = frozenset([z85.decode(LISTED.public)])
NEAR = "127.0.0.0/8"
FAR = "192.168.8.0/24"


def subscribed(authenticator: Authenticator, endpoint: str, client: KeyPair | None) -> bool:
    """Return whether a client gets a message; if not, when its refusal is in the log."""

    async def main() -> bool:
        sink = ZmqSink(hwm=1000, max_clients=10, authenticator=authenticator)
        bound = await sink.bind(endpoint)
        sink.start()
        sink.publish(Batch([(b"topic", b"{}", Topic(b"topic"))], []))
        with zmq.Context() as context, context.socket(zmq.SUB) as sub:
            sub.set(zmq.LINGER, 0)
            if client is not None:
                sub.curve_serverkey = SERVER.public
                sub.curve_publickey, sub.curve_secretkey = client
            sub.subscribe("")
            sub.connect(bound.replace("[::]", "127.0.0.1"))
            events = sub.get_monitor_socket(zmq.EVENT_HANDSHAKE_FAILED_AUTH)
            poller = zmq.Poller()
            poller.register(sub, zmq.POLLIN)
            poller.register(events, zmq.POLLIN)
            ready = dict(await asyncio.to_thread(poller.poll, int(PATIENCE * 1000)))
            sub.disable_monitor()
            events.close(linger=0)
        sink.term()
        assert ready
        return sub in ready

    return asyncio.run(main())


@pytest.mark.parametrize(
    ("endpoint", "server", "networks", "client", "refusal"),
    [
        ("tcp://127.0.0.1:*", SERVER, [], LISTED, ""),
        ("tcp://127.0.0.1:*", SERVER, [], UNLISTED, "from 127.0.0.1: its key is not in"),
        ("ipc://{path}", SERVER, [], UNLISTED, "of user {user}: its key is not in --curve-allow"),
        ("tcp://127.0.0.1:*", None, [NEAR], None, ""),
        ("tcp://*:*", None, [FAR, NEAR], None, ""),
        ("tcp://127.0.0.1:*", None, [FAR], None, "from 127.0.0.1: its address is not in --allow"),
        ("tcp://*:*", None, [FAR], None, "from 127.0.0.1: its address is not in --allow-ip"),
        ("tcp://127.0.0.1:*", SERVER, [FAR], LISTED, "from 127.0.0.1: its address is not in"),
        ("ipc://{path}", SERVER, [FAR], LISTED, ""),
    ],
)
def test_key_and_address_decide_who_may_subscribe_and_a_refused_one_is_named(
    endpoint: str,
    server: KeyPair | None,
    networks: list[str],
    client: KeyPair | None,
    refusal: str,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.WARNING, "recbms_zmq")
    authenticator = Authenticator(
        server=server, keys=KEYS, networks=[ipaddress.ip_network(each) for each in networks]
    )
    is_in = subscribed(authenticator, endpoint.format(path=tmp_path / "pub"), client)
    warned = {record.getMessage() for record in caplog.records}
    assert is_in == (not refusal)
    assert len(warned) == bool(refusal)
    for warning in warned:
        assert warning.startswith(f"refused a subscriber {refusal.format(user=os.getuid())}")


def test_while_nothing_decides_about_them_no_client_may_subscribe(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def main() -> None:
        authenticator = Authenticator(server=SERVER, keys=KEYS)
        sink = ZmqSink(hwm=1000, max_clients=10, authenticator=authenticator)
        bound = await sink.bind("tcp://127.0.0.1:*")
        sink.start()
        # Closing takes libzmq a while, and a request that it still took would never be answered.
        authenticator._zap.unbind("inproc://zeromq.zap.01")
        authenticator.close()
        sink._authenticator = None  # it is closed only once
        sink.publish(Batch([(b"topic", b"{}", Topic(b"topic"))], []))
        with zmq.Context() as context, context.socket(zmq.SUB) as sub:
            sub.set(zmq.LINGER, 0)
            sub.curve_serverkey = SERVER.public
            sub.curve_publickey, sub.curve_secretkey = LISTED
            sub.subscribe("")
            sub.connect(bound)
            async with asyncio.timeout(PATIENCE):
                # Until a handshake has failed; that is logged at the end of the connection.
                while not (sink._clients._failure or caplog.messages):
                    assert not sub.poll(0)
                    await asyncio.sleep(0.01)
        sink.term()

    asyncio.run(main())

"""A real mosquitto for a test, and a client that shows what is on it."""

import subprocess
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import paho.mqtt.client as paho
from paho.mqtt.enums import CallbackAPIVersion
from support.certificate import make_certificate
from support.waiting import eventually

from e2e.installation import mosquitto
from e2e.program import Program, Restartable
from e2e.waiting import free_port


class Broker(Restartable):
    """A broker on a free port of loopback that keeps nothing when it ends."""

    def __init__(self, folder: Path, more: str = "allow_anonymous true\n") -> None:
        """Write the configuration into `folder`; `more` is the rest of it."""
        self.port = free_port()
        self._configuration = folder / "mosquitto.conf"
        # Started by root, it would become a user who cannot read a test's files.
        self._configuration.write_text(
            f"user root\nlistener {self.port} 127.0.0.1\npersistence false\n{more}"
        )
        self._log = folder / "mosquitto.log"

    def start(self) -> None:
        """Start it; return when it runs."""
        self._log.unlink(missing_ok=True)
        program = Program([mosquitto(), "-c", str(self._configuration)], self._log)
        self._program = program
        eventually(lambda: " running" in program.log(), "mosquitto runs")

    def retain(self, topics: Iterable[str], payload: str) -> None:
        """Have it keep a payload on these topics."""
        client = paho.Client(CallbackAPIVersion.VERSION2)
        client.max_queued_messages_set(0)
        client.connect("127.0.0.1", self.port)
        client.loop_start()
        sent = [client.publish(topic, payload, qos=1, retain=True) for topic in topics]
        for each in sent:
            each.wait_for_publish(30)
        client.disconnect()
        client.loop_stop()


class SecureBroker(Broker):
    """A broker with TLS for `localhost`, and a user with a password.

    Attributes:
        ca_file: the certificate to trust.

    """

    USER = "recbms"
    PASSWORD = "p#ss w\u00f6rd"

    def __init__(self, folder: Path) -> None:
        self.ca_file, key = make_certificate(folder, "DNS:localhost")
        passwords = folder / "passwords"
        words = ["mosquitto_passwd", "-b", "-c", str(passwords), self.USER, self.PASSWORD]
        subprocess.run(words, check=True, capture_output=True, timeout=60)
        super().__init__(
            folder,
            f"certfile {self.ca_file}\nkeyfile {key}\n"
            f"allow_anonymous false\npassword_file {passwords}\n",
        )


class Watcher:
    """A client that keeps the newest payload of every topic.

    Attributes:
        newest: payloads by topic.

    """

    def __init__(self, broker: Broker) -> None:
        self.newest: dict[str, str] = {}
        self._client = paho.Client(CallbackAPIVersion.VERSION2)
        self._client.on_message = self._keep
        self._client.on_connect = self._subscribe
        self._client.reconnect_delay_set(1, 1)
        host = "127.0.0.1"
        if isinstance(broker, SecureBroker):
            self._client.tls_set(ca_certs=str(broker.ca_file))
            self._client.username_pw_set(broker.USER, broker.PASSWORD)
            host = "localhost"
        self._client.connect(host, broker.port)
        self._client.loop_start()

    def close(self) -> None:
        self._client.disconnect()
        self._client.loop_stop()

    def _subscribe(self, *_: Any) -> None:
        self._client.subscribe("#", qos=1)

    def _keep(self, _client: Any, _userdata: Any, message: paho.MQTTMessage) -> None:
        self.newest[message.topic] = message.payload.decode()

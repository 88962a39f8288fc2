"""Runs within the container, with Debian's Python alone: what happens to the service there."""

import json
import os
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

CONFIG = Path("/etc/recbms-zmq/config.toml")
UNIT = "recbms-zmq.service"
failures = 0


def systemctl(*words: str) -> str:
    done = subprocess.run(["systemctl", *words], capture_output=True, text=True, check=False)
    return done.stdout.strip()


def show(name: str) -> str:
    return systemctl("show", UNIT, "--value", "--property", name)


def expect(what: str, condition: Callable[[], bool], seconds: float = 60) -> None:
    """Wait for a condition; return whether it came, and when."""
    global failures  # noqa: PLW0603
    began = time.monotonic()
    while not (found := condition()) and time.monotonic() - began < seconds:
        time.sleep(0.05)
    failures += not found
    took = time.monotonic() - began
    print("ok  " if found else "FAIL", what, f"({took:.2f} s; {show('StatusText')})", flush=True)


def types(name: str) -> None:
    """Type a block of the pages."""
    done = subprocess.run(
        ["bash", "-euo", "pipefail", f"/{name}.sh"], capture_output=True, text=True, check=False
    )
    expect(f"the commands to {name} work {done.stderr}", lambda: done.returncode == 0, 0)


def subscribed(topic: str) -> str:
    """Return what is retained on a topic of the broker."""
    words = ["mosquitto_sub", "-p", "11883", "-t", topic, "-C", "1", "-W", "5"]
    return subprocess.run(words, capture_output=True, text=True, check=False).stdout.strip()


def check_mqtt() -> None:
    """See that the second unit feeds a broker, and publishes `offline` when it ends."""
    broker = subprocess.Popen(["mosquitto", "-c", "/written/mosquitto.conf"])
    types("mqtt")
    expect("the state is on the broker", lambda: '"payload"' in subscribed("recbms/main/soc"))
    expect("the program is online", lambda: subscribed("bridge/status") == "online")
    discovery = "homeassistant/device/recbms_main/config"
    expect("it is announced", lambda: "cell_voltage_2_1" in subscribed(discovery))
    systemctl("restart", UNIT)
    expect("it is online again after a restart of the service", lambda: is_online() == "online")
    types("mqtt_update")
    expect("it is online again after an update", lambda: is_online() == "online")
    began = time.monotonic()
    systemctl("stop", "recbms-zmq-mqtt")
    print(f"     stopped in {time.monotonic() - began:.2f} s")
    expect("the program is offline", lambda: subscribed("bridge/status") == "offline", 0)
    expect("and so is the BMS", lambda: is_online() == "offline", 0)
    types("mqtt_uninstall")
    unit = systemctl("show", "recbms-zmq-mqtt", "--value", "--property", "LoadState")
    expect("and the unit is gone", lambda: unit == "not-found", 0)
    broker.terminate()
    broker.wait()


def is_online() -> str:
    """Return the retained availability of the BMS."""
    message = subscribed("recbms/main/availability")
    return str(json.loads(message)["payload"]) if message else ""


def is_checked() -> bool:
    check = ["/opt/recbms-zmq/bin/recbms-zmq", "check", "ipc:///run/recbms-zmq/pub"]
    return subprocess.run(check, capture_output=True, check=False).returncode == 0


def kill(number: signal.Signals) -> None:
    os.kill(int(show("MainPID")), number)


def main() -> None:
    began = time.monotonic()
    types("start")
    print(f"     started in {time.monotonic() - began:.2f} s")
    expect("it is active once its addresses are bound", lambda: show("ActiveState") == "active", 0)
    expect("its status is the state in words", lambda: "1 of 1 BMS online" in show("StatusText"))
    expect("it is a user of its own", lambda: show("User") == "recbms-zmq", 0)
    expect("who is in the group can subscribe", is_checked)
    lock = Path("/var/lib/private/recbms-zmq/main.energy.lock")
    expect("the energy counters have a folder", lock.exists)

    kill(signal.SIGSTOP)
    expect("one that hangs is started again", lambda: show("NRestarts") == "1", 90)
    expect("and reads again", is_checked)
    kill(signal.SIGKILL)
    expect("one that was killed is started again", lambda: show("NRestarts") == "2", 90)
    expect("and reads again", is_checked)

    check_mqtt()
    types("update")
    expect("it reads after an update", is_checked)

    time.sleep(3)  # so that there is some energy to keep
    began = time.monotonic()
    systemctl("stop", UNIT)
    print(f"     stopped in {time.monotonic() - began:.2f} s")
    expect("it ends with 0", lambda: show("Result") == "success", 0)
    counters = lock.with_name("main.energy.json")
    expect("the energy counters are kept", counters.exists)

    CONFIG.write_text('stale_after = "soon"\n' + CONFIG.read_text())
    systemctl("start", UNIT)
    expect("a wrong configuration is 78", lambda: show("ExecMainStatus") == "78")
    time.sleep(8)  # RestartSec is 5
    expect("and not tried again", lambda: show("NRestarts") + show("SubState") == "0failed", 0)
    journal = subprocess.run(
        ["journalctl", "--unit", UNIT, "--output", "cat", "--no-pager"],
        capture_output=True,
        text=True,
        check=False,
    )
    types("uninstall")
    left = [path for path in ("/opt/recbms-zmq", "/etc/recbms-zmq") if Path(path).exists()]
    expect("nothing is left of it", lambda: not left, 0)
    print("--- journal", journal.stdout, "---", sep="\n")
    print("FAIL" if failures else "PASS", flush=True)
    systemctl("poweroff")


main()

"""`recbms-zmq listen`: what a running service publishes, as lines."""

import os
import resource
import signal
from functools import partial

import pytest
from support.bms import FakeBms
from support.fixtures import MakeBms, Run, Start
from support.frames import STATUS, status

pytestmark = pytest.mark.slow


def test_it_prints_the_state_at_once_and_then_what_is_new(
    bms: FakeBms, run: Run, start: Start
) -> None:
    service = run(bms.url)
    service.message(key="settings/remote_switch")
    listener = start("listen", service.endpoint())
    listener.message(key="settings/remote_switch")
    bms.send(status(vbat=12.5))
    listener.message(key="voltage", payload=12.5)
    assert service.stop() == 0
    listener.message(key="availability", reason="stopped")
    # All messages but the first offline, which is no longer true.
    assert set(listener.stdout) == set(service.stdout.all()[1:])
    assert listener.stop() == 0
    assert listener.stderr.all() == []


@pytest.mark.parametrize("limit", [8, 10, 11])
def test_too_few_open_files_are_a_sentence(limit: int, start: Start) -> None:
    """Without one, libzmq aborts the process."""
    allow = partial(resource.setrlimit, resource.RLIMIT_NOFILE, (limit, limit))
    listener = start("listen", "--timeout", "1", "tcp://127.0.0.1:9", preexec_fn=allow)
    assert listener.wait() == 78
    assert listener.stderr.text() == (
        "recbms-zmq: ZeroMQ takes 8 open files, and fewer are left; raise the limit with "
        "`ulimit -n 64`\n"
    )


def test_only_and_except_choose_keys_on_both_sides_of_the_socket(
    bms: FakeBms, run: Run, start: Start
) -> None:
    service = run("--only", "so?,cell_voltage/*", "--except", "cell_voltage/2/[34]", bms.url)
    service.message(key="cell_voltage/2/2")
    endpoint = service.endpoint()
    for options, expected in (
        ([], ["availability", "cell_voltage/2/1", "cell_voltage/2/2", "device", "soc", "soh"]),
        (["--only", "soc", "--only", "device"], ["device", "soc"]),
        (["--topic", "recbms/main/soc", "--topic", "recbms/main/d"], ["device", "soc"]),
        (["--topic", "recbms/main/c", "--only", "*/1,soc"], ["cell_voltage/2/1"]),
        (["--topic", "recbms/main/s", "--except", "soh"], ["soc"]),
    ):
        listener = start("listen", *options, "--count", str(len(expected)), endpoint)
        assert listener.wait() == 0
        listener.stdout.all()
        assert sorted(m["key"] for m in listener.messages) == expected
    refused = start("listen", "--topic", "recbms/main/c", "--only", "soc", endpoint)
    assert refused.wait() == 2
    assert "no topic with these keys" in refused.stderr.text()


def test_the_state_is_printed_for_people_and_for_tables(
    bms: FakeBms, run: Run, start: Start
) -> None:
    service = run(bms.url)
    service.message(key="settings/remote_switch")
    endpoint = service.endpoint()
    text = start("listen", "--format", "text", "--count", "2", endpoint)
    table = start("listen", "--format", "csv", "--count", "2", endpoint)
    assert text.wait() == table.wait() == 0
    online, state = text.stdout.text().splitlines()
    assert online.endswith("  online")
    assert state.endswith("   28.5 %   13.24 V    +7.46 A  charging, full in 31 h")
    bms.send(status(soc=0.5))
    columns, first, *_ = table.stdout.text().splitlines()
    assert columns.startswith("time,device,availability,soc,voltage,")
    assert first.split(",")[1:5] == ["main", "online", "28.5", "13.24"]


def test_what_is_not_wanted_does_not_put_off_the_timeout(
    bms: FakeBms, run: Run, start: Start
) -> None:
    endpoint = run("--report", "all", bms.url).endpoint()
    listener = start("listen", "--except", "*", "--timeout", "0.5", endpoint)
    while listener.is_running:
        bms.send(STATUS)
    assert listener.wait() == 69


@pytest.mark.parametrize("timeout", ["2592000", "1e12"])
def test_a_timeout_of_a_month_or_more_is_no_shorter_one(
    timeout: str, bms: FakeBms, run: Run, start: Start
) -> None:
    endpoint = run(bms.url).endpoint()
    topic = ("--topic", "recbms/main/voltage", "--count", "2")
    listener = start("listen", *topic, "--timeout", timeout, endpoint)
    listener.message(payload=13.24)
    bms.send(status(vbat=12.5))
    listener.message(payload=12.5)
    assert listener.wait() == 0
    assert start("check", "--timeout", timeout, endpoint).wait() == 0


def test_nothing_in_time_is_one_sentence_and_69(start: Start) -> None:
    listener = start("listen", "--timeout", "0.2", "tcp://127.0.0.1:9")
    assert listener.wait() == 69
    assert listener.stderr.text() == (
        "recbms-zmq: nothing came within 0.2 s: no service answers at tcp://127.0.0.1:9; "
        "is recbms-zmq run running there?\n"
    )


def test_a_reader_that_goes_ends_it_quietly(make_bms: MakeBms, run: Run, start: Start) -> None:
    bms = make_bms(greeting=[STATUS])
    service = run(bms.url)
    reader, writer = os.pipe()
    listener = start("listen", service.endpoint(), stdout=writer)
    os.close(writer)
    os.read(reader, 1)
    os.close(reader)
    voltages = iter(range(10_000))
    while listener.is_running:
        bms.send(status(vbat=next(voltages) / 100))
    assert listener.wait() == 141
    assert listener.stderr.all() == []


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 0), (signal.SIGINT, 130)])
def test_signals_end_it_without_a_word(
    number: int, code: int, bms: FakeBms, run: Run, start: Start
) -> None:
    listener = start("listen", run(bms.url).endpoint())
    listener.message(key="soc")
    assert listener.stop(number) == code
    assert listener.stderr.all() == []

import pytest

from recbms_zmq.check.next_steps import next_step, step_without_network


@pytest.mark.parametrize(
    ("failure", "word"),
    [
        ("connection refused", "the module's address"),
        ("no answer within 10 s", "Is the module on"),
        ("no route to host", "Is the module on"),
        ("name or service not known", "spelling"),
        ("no address associated with hostname", "spelling"),
        ("the BMS answered with HTTP status 404", "http://HOST/cell"),
        ("the BMS gave no valid answer", "http://HOST/cell"),
        ("the BMS answered with HTTP status 401", "password"),
        ("the BMS answered with HTTP status 302, which points elsewhere", "use that one"),
        ("TLS failed: wrong version number", "ws://"),
        ("connection lost", "too many clients"),
        ("no thread can be started; raise the limit, TasksMax=", "the module was not asked"),
        ("no file descriptor is left: raise LimitNOFILE", "the module was not asked"),
        ("the name cannot be looked up: no name server has answered for 9.5 s", "spelling"),
    ],
)
def test_a_failed_connection_has_a_next_step(failure: str, word: str) -> None:
    assert word in str(next_step(failure))


def test_an_unknown_failure_has_no_next_step() -> None:
    assert next_step("the moon is full") is None


@pytest.mark.parametrize(
    ("url", "word"),
    [
        ("-", "before the pipe"),
        ("replay:pack.jsonl", "record for longer"),
        ("sim:?units=2", "faults="),
        ("ws://h/ws", "None"),
        ("https://h-2/cell", "None"),
    ],
)
def test_a_source_without_a_network_has_a_next_step_of_its_own(url: str, word: str) -> None:
    assert word in str(step_without_network(url))

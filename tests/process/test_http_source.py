"""`recbms-zmq run http://HOST/cell`: older module firmware."""

from support.fixtures import Run, Subscribe
from support.module import FakeModule, answer


def test_it_is_polled_and_published(run: Run, subscribe: Subscribe, module: FakeModule) -> None:
    service = run("--poll-interval", "1", module.url)
    sub = subscribe(service.endpoint())
    assert sub.message(key="soc")["payload"] == 28.5
    module.answers = [answer(b'{"bms_array":{"master":{"soc":0.5}}}')]
    assert sub.message(key="soc", payload=50.0)
    assert service.stop() == 0
    assert sub.message(key="availability", payload="offline")["reason"] == "stopped"


def test_a_module_that_fails_goes_offline_and_is_asked_again(run: Run, module: FakeModule) -> None:
    module.answers = [answer(status="503 Busy")]
    service = run(
        "--no-publish", "--poll-interval", "1", "--stale-after", "2", "--refresh", "1", module.url
    )
    service.stderr.line("the BMS answered with HTTP status 503; trying again")
    assert service.message(key="availability", reason="the BMS answered with HTTP status 503")
    module.answers = [answer()]
    service.message(key="availability", payload="online")
    module.answers = [answer(b"<html>")]
    gone = "no status frame for 2 s: the answer is not a frame of a BMS"
    service.message(key="availability", payload="offline", reason=gone)
    module.answers = [answer()]
    service.messages_until(lambda m: m["key"] == "link/reconnects" and m["payload"] > 0)
    assert service.stop() == 0


def test_once_asks_once_and_waits_for_no_settings(start: Run, module: FakeModule) -> None:
    service = start("run", "--once", "--poll-interval", "1", module.url)
    assert service.wait() == 0
    assert service.message(key="soc")["payload"] == 28.5
    assert len(module.requests) == 1

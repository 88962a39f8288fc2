"""`recbms-zmq demo`, for those who have no BMS."""

from support.fixtures import Start, Subscribe


def test_the_demo_gives_a_whole_pack_on_both_outputs(start: Start, subscribe: Subscribe) -> None:
    demo = start("demo", "--publish", "tcp://127.0.0.1:*", "--report", "all")
    subscriber = subscribe(demo.endpoint())
    subscriber.message(key="soc")
    demo.message(key="link/frames", payload=4)
    assert demo.stop() == 0
    subscriber.message(key="availability", reason="stopped")
    assert demo.messages[0]["payload"] == "offline"
    assert demo.messages[-1]["payload"] == "offline"
    kinds = {m["kind"] for m in demo.messages}
    assert kinds >= {"availability", "device", "reading"}
    by_key = {m["key"]: m["payload"] for m in demo.messages}
    assert 0 <= by_key["soc"] <= 100
    cells = [value for key, value in by_key.items() if key.startswith("cell_voltage/")]
    assert len(cells) == by_key["cells"]
    assert abs(sum(cells) - by_key["voltage"]) < 0.01 * len(cells)
    assert demo.stderr.text().count(" warning ") == 0

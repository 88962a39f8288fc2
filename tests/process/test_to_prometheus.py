"""`to_prometheus.py`: names, labels and values of the metrics, and how it ends."""

import json
import re
import signal
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import generate_latest
from prometheus_client.parser import text_string_to_metric_families
from support.flow_scripts import flow_script
from support.pages import ROOT
from support.process import Lines
from support.waiting import PATIENCE

from recbms_zmq.sensors.table import SENSORS

pytestmark = pytest.mark.slow

PIPES = ROOT / "flows" / "pipes"
Message = dict[str, Any]
_lines = (ROOT / "tests" / "process" / "expected" / "real_frames.jsonl").read_text("utf-8")
*REAL, OFFLINE = map(json.loads, _lines.replace('"TS"', '"2026-11-26T12:00:00.000Z"').splitlines())
SAMPLES = {
    'recbms_up{device="main"}': 1.0,
    'recbms_voltage_volts{device="main"}': 13.24,
    'recbms_current_amperes{device="main"}': 7.46,
    'recbms_soc_ratio{device="main"}': 0.285,
    'recbms_temperature_max_celsius{device="main"}': 22.5,
    'recbms_temperature_celsius{device="main",unit="2",sensor="1"}': 22.5,
    'recbms_bms_temperature_celsius{device="main",unit="2"}': 28.7,
    'recbms_cell_voltage_volts{device="main",unit="2",cell="1"}': 3.305,
    'recbms_cell_resistance_ohms{device="main",unit="2",cell="1"}': 0.00195,
    'recbms_cell_balancing{device="main",unit="2",cell="1"}': 1.0,
    'recbms_time_to_full_seconds{device="main"}': 111600.0,
    'recbms_capacity_remaining_coulombs{device="main"}': 328320.0,
    'recbms_settings_charge_coefficient_per_second{device="main"}': 0.000138888888889,
    'recbms_settings_inverters{device="main"}': 2.0,
    'recbms_charge_state{device="main",charge_state="charging"}': 1.0,
    'recbms_charge_state{device="main",charge_state="idle"}': 0.0,
    'recbms_energy_charged_joules_total{device="main"}': 0.0,
    'recbms_link_frames_total{device="main"}': 2.0,
}
"""Some of the real frames, one of each kind."""


def samples(metrics: Any) -> dict[str, float]:
    """Return what a scrape would get now."""
    return {
        sample.name + "{" + ",".join(f'{k}="{v}"' for k, v in sample.labels.items()) + "}": value
        for family in metrics.collect()
        for sample in family.samples
        for value in [sample.value]
    }


def after(*messages: Message, expire_after: float = 0) -> Any:
    """Return the metrics after these messages."""
    metrics = flow_script("to_prometheus").Metrics(expire_after)
    for message in messages:
        metrics.update(json.dumps(message).encode())
    return metrics


def test_a_metric_has_its_base_unit_in_the_name_and_its_place_in_labels() -> None:
    found = samples(after(*REAL))
    assert {name: found.get(name) for name in SAMPLES} == SAMPLES
    numbers = [m for m in REAL if m["kind"] == "reading" and m["payload"] is not None]
    numbers = [m for m in numbers if not isinstance(m["payload"], str)]
    # Three for the charge state, one for the time; `recbms_up` and the description.
    assert len(found) == len(numbers) - 1 + 4 + 2


def test_every_unit_of_the_table_is_known() -> None:
    units = {sensor.unit for sensor in SENSORS if sensor.unit} - {"min"}
    assert units <= flow_script("to_prometheus").UNITS.keys()


@pytest.mark.parametrize(
    "last", [OFFLINE, {**OFFLINE, "payload": "offline", "reason": "no status frame for 30 s"}]
)
def test_while_a_bms_is_offline_it_has_no_values(last: Message) -> None:
    names = {name.partition("{")[0] for name in samples(after(*REAL, last))}
    assert names == {"recbms_up", "recbms_device_info"}
    assert samples(after(*REAL, last))['recbms_up{device="main"}'] == 0.0


def test_a_bms_without_messages_has_no_values() -> None:
    found = samples(after(*REAL, expire_after=1e-9))
    assert {name.partition("{")[0] for name in found} == {"recbms_up", "recbms_device_info"}
    assert found['recbms_up{device="main"}'] == 0.0


def test_a_value_that_is_unknown_has_no_sample() -> None:
    [soc] = [message for message in REAL if message["key"] == "soc"]
    found = samples(after(*REAL, {**soc, "payload": None}))
    assert samples(after(*REAL)).keys() - found.keys() == {'recbms_soc_ratio{device="main"}'}


@pytest.mark.parametrize("line", [b"null", b"[]", b"{}", b"{", b"\xff", b'{"device":1,"kind":"x"}'])
def test_a_line_that_is_no_message_costs_itself(
    line: bytes, capsys: pytest.CaptureFixture[str]
) -> None:
    metrics = after(*REAL)
    before = samples(metrics)
    metrics.update(line)
    assert samples(metrics) == before
    assert capsys.readouterr().err.count("\n") == 1


ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(), inner, max_size=2),
    max_leaves=4,
)


@given(
    st.fixed_dictionaries(
        {"kind": st.sampled_from(["reading", "availability", "device", "event", "x"])},
        optional={
            **dict.fromkeys(("device", "device_name", "name", "payload", "unit"), ANYTHING),
            "key": st.text() | st.sampled_from(["cell_voltage/1/2", "temperature/1/2/3", "soc"]),
            "ha": ANYTHING
            | st.fixed_dictionaries(
                {"device_class": st.just("timestamp") | ANYTHING},
                optional={"options": ANYTHING, "state_class": st.just("total_increasing")},
            ),
        },
    )
)
def test_no_message_makes_a_scrape_fail(message: Message) -> None:
    text = generate_latest(after(*REAL[:5], message)).decode()
    assert list(text_string_to_metric_families(text))


def test_the_dashboard_uses_metrics_that_exist() -> None:
    empty = [m for m in REAL if m["key"] == "time_to_full"]  # unknown in the other direction
    other = [{**m, "key": "time_to_empty", "topic": "recbms/main/time_to_empty"} for m in empty]
    exist = {name.partition("{")[0] for name in samples(after(*REAL, *other))}
    text = (PIPES / "grafana-dashboard.json").read_text("utf-8")
    used = set(re.findall(r"\brecbms_\w+", text))
    assert used - exist == set()
    assert len(used) > 10


@contextmanager
def running(*options: str) -> Iterator[tuple["subprocess.Popen[bytes]", str]]:
    """Run it; give the process, and the address that it prints."""
    command = [sys.executable, str(PIPES / "to_prometheus.py"), *options]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        try:
            assert process.stderr is not None
            line = Lines(process.stderr).line("metrics at ")
            yield process, line.partition("metrics at ")[2]
        finally:
            process.kill()


def test_it_serves_on_loopback_and_ends_with_its_input() -> None:
    with running("--listen", "127.0.0.1:0") as (process, url):
        assert re.fullmatch(r"http://127\.0\.0\.1:\d+/metrics", url)
        assert process.stdin is not None
        process.stdin.write(b"".join(json.dumps(m).encode() + b"\n" for m in REAL))
        process.stdin.flush()
        names: set[str] = set()
        while "recbms_settings_remote_switch" not in names:  # the last one
            with urllib.request.urlopen(url, timeout=PATIENCE) as answer:
                text = answer.read().decode()
            names = {family.name for family in text_string_to_metric_families(text)}
        process.stdin.close()
        assert process.wait(PATIENCE) == 0


def test_a_signal_ends_it_and_a_used_address_is_one_sentence() -> None:
    with running("--listen", "127.0.0.1:0") as (process, url):
        address = url.removeprefix("http://").removesuffix("/metrics")
        other = subprocess.run(
            [sys.executable, str(PIPES / "to_prometheus.py"), "--listen", address],
            capture_output=True,
            text=True,
            check=False,
        )
        assert (other.returncode, other.stderr) == (
            1,
            f"to_prometheus: cannot listen on {address}: Address already in use\n",
        )
        process.send_signal(signal.SIGTERM)
        assert process.wait(PATIENCE) == 0


UNITS = {"none", "percentunit", "watt", "s", "joule", "volt", "celsius"}
"""Those of Grafana's unit names that the dashboard uses (`getValueFormats` of @grafana/data)."""


def test_the_dashboard_has_only_what_grafana_knows_and_no_panel_covers_another() -> None:
    dashboard = json.loads((PIPES / "grafana-dashboard.json").read_text("utf-8"))
    panels = dashboard["panels"]
    assert len({panel["id"] for panel in panels}) == len(panels)
    assert {panel["type"] for panel in panels} <= {"stat", "gauge", "timeseries"}
    fields = [panel["fieldConfig"]["defaults"]["unit"] for panel in panels]
    fields += [
        each["value"]
        for panel in panels
        for override in panel["fieldConfig"]["overrides"]
        for each in override["properties"]
        if each["id"] == "unit"
    ]
    assert set(fields) == UNITS
    cells = [
        (column, row)
        for panel in panels
        for place in [panel["gridPos"]]
        for column in range(place["x"], place["x"] + place["w"])
        for row in range(place["y"], place["y"] + place["h"])
    ]
    assert len(set(cells)) == len(cells)
    assert max(column for column, _ in cells) < 24
    # The reader chooses the data source and the BMS.
    variables = {each["name"]: each for each in dashboard["templating"]["list"]}
    assert variables["datasource"]["query"] == "prometheus"
    source = {"type": "prometheus", "uid": "${datasource}"}
    targets = [target for panel in panels for target in panel["targets"]]
    for each in (variables["device"], *panels, *targets):
        assert each["datasource"] == source
    assert all('{device=~"$device"}' in target["expr"] for target in targets)

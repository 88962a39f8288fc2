"""`to_prometheus.py` with a real Prometheus, by the configuration of the page."""

import json
import subprocess
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from support.pages import ROOT, block
from support.waiting import eventually

from e2e import installation
from e2e.pipeline import Pipeline
from e2e.program import Program
from e2e.scripted_bms import ScriptedBms
from e2e.waiting import free_port, wait_until_equal

PIPES = ROOT / "flows" / "pipes"
CELLS = {"1": 3.305, "2": 3.32, "3": 3.311, "4": 3.308}


class Prometheus:
    """A Prometheus that scrapes `target` every second; all else is as in the file of the page."""

    def __init__(self, folder: Path, target: str) -> None:
        self._url = f"http://127.0.0.1:{free_port()}"
        text = (PIPES / "prometheus.yml").read_text("utf-8")
        for old, new in {"127.0.0.1:9556": target, "15s": "1s"}.items():
            assert old in text
            text = text.replace(old, new)
        configuration = folder / "prometheus.yml"
        configuration.write_text(text)
        command = [
            installation.prometheus(),
            f"--config.file={configuration}",
            f"--storage.tsdb.path={folder / 'data'}",
            f"--web.listen-address={self._url.removeprefix('http://')}",
        ]
        self.program = Program(command, folder / "prometheus.log")

    def query(self, expression: str) -> list[dict[str, Any]]:
        """Return the result of a PromQL query; empty while it does not answer."""
        query = urllib.parse.urlencode({"query": expression})
        try:
            with urllib.request.urlopen(f"{self._url}/api/v1/query?{query}", timeout=10) as answer:
                result: list[dict[str, Any]] = json.load(answer)["data"]["result"]
        except urllib.error.HTTPError as exc:
            if exc.code == 400:  # the expression is wrong
                raise AssertionError(exc.read()) from exc
            return []
        except OSError:
            return []
        return result

    def values(self, expression: str, label: str) -> dict[str, float]:
        """Return the values of a query by one of their labels."""
        return {
            each["metric"].get(label, ""): float(each["value"][1])
            for each in self.query(expression)
        }


@pytest.fixture
def pipeline(tmp_path: Path, bms: ScriptedBms) -> Iterator[tuple[Pipeline, str]]:
    """The pipe of the page, not started yet, and the address of its metrics."""
    bms.send_settings()
    target = f"127.0.0.1:{free_port()}"
    changes = {"ws://192.168.8.2/ws": bms.url, "127.0.0.1:9556": target, "flows": f"{ROOT}/flows"}
    (tmp_path / "user").mkdir()
    pipe = Pipeline(tmp_path / "user", block("prometheus pipe", changes), RECBMS_STALE_AFTER="2")
    yield pipe, target
    pipe.stop()


def test_the_values_are_there_and_are_gone_when_the_bms_is(
    installed: Callable[[Callable[[], object]], None],
    pipeline: tuple[Pipeline, str],
    bms: ScriptedBms,
    tmp_path: Path,
) -> None:
    installed(installation.prometheus)
    pipe, target = pipeline
    pipe.start()
    prometheus = Prometheus(tmp_path, target)
    try:
        cells = 'recbms_cell_voltage_volts{device="main",unit="2"}'
        wait_until_equal(lambda: prometheus.values(cells, "cell"), CELLS)
        assert prometheus.values("recbms_soc_ratio", "device") == {"main": 0.285}
        # Prometheus's own linter reports nothing.
        with urllib.request.urlopen(f"http://{target}/metrics", timeout=10) as answer:
            linter = [
                str(Path(installation.prometheus()).with_name("promtool")),
                "check",
                "metrics",
            ]
            done = subprocess.run(linter, input=answer.read(), capture_output=True, check=False)
        assert (done.returncode, done.stdout + done.stderr) == (0, b"")
        # Every query of the dashboard has a value, but one: this battery does not discharge.
        dashboard = json.loads((PIPES / "grafana-dashboard.json").read_text("utf-8"))
        queries = {
            target["expr"].replace("$device", "(main)")
            for panel in dashboard["panels"]
            for target in panel["targets"]
        }
        # An `increase` takes a second scrape.
        wait_until_equal(
            lambda: {query for query in queries if not prometheus.query(query)},
            {'recbms_time_to_empty_seconds{device=~"(main)"}'},
        )

        bms.is_silent = True
        eventually(lambda: prometheus.values("recbms_up", "device") == {"main": 0.0}, "it is down")
        assert prometheus.query('{__name__=~"recbms_.+",__name__!~"recbms_(up|device_info)"}') == []
        bms.is_silent = False
        wait_until_equal(lambda: prometheus.values(cells, "cell"), CELLS)
        pipe.end_all()
        eventually(lambda: prometheus.query('{__name__=~"recbms_.+"}') == [], "all is stale")
        assert prometheus.values('up{job="recbms"}', "job") == {"recbms": 0.0}
    finally:
        prometheus.program.stop()

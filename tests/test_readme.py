"""The README says what is true: its tables are the code's, and its examples do what they say."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

from conftest import Run
from support.bms import FakeBms
from support.readme import README, filled

TEXT = README.read_text()


def block(mark: str) -> str:
    """Return the code block behind a mark."""
    found = re.search(rf"<!-- {re.escape(mark)} -->\n```\w+\n(.*?)```", TEXT, re.DOTALL)
    assert found is not None
    return found[1]


def test_its_tables_are_those_of_the_code() -> None:
    assert filled(TEXT) == TEXT, "python -m tests.support.readme writes them anew"


def test_its_links_lead_somewhere() -> None:
    links = re.findall(r"\]\(((?!https?:)[^)#]+)\)", TEXT)
    assert links
    assert [link for link in links if not (README.parent / link).exists()] == []


def hear_first_line(code: str, folder: Path) -> str:
    with subprocess.Popen(
        [sys.executable, "-u", "-c", code], cwd=folder, stdout=subprocess.PIPE, text=True
    ) as program:
        assert program.stdout is not None
        line = program.stdout.readline()
        program.terminate()
    return line


def test_the_subscriber_in_python_hears_the_state(bms: FakeBms, run: Run, tmp_path: Path) -> None:
    service = run(bms.url)
    service.message(key="soc")
    code = block("python example").replace("tcp://127.0.0.1:5556", service.endpoint())
    assert re.fullmatch(r"recbms/main/\S+ \{\"topic\":.*\}\n", hear_first_line(code, tmp_path))


def test_the_subscriber_with_keys_hears_the_state(bms: FakeBms, run: Run, tmp_path: Path) -> None:
    for name in ("server", "client"):
        command = [sys.executable, "-m", "recbms_zmq", "keygen", name]
        subprocess.run(command, cwd=tmp_path, check=True, capture_output=True, timeout=60)
    (tmp_path / "clients").mkdir()
    shutil.copy(tmp_path / "client.key", tmp_path / "clients")
    service = run(
        *("--curve-secret-key", f"{tmp_path}/server.key_secret"),
        *("--curve-allow", f"{tmp_path}/clients", bms.url),
    )
    service.message(key="soc")
    code = block("python curve example").replace("tcp://192.168.8.20:5556", service.endpoint())
    assert re.fullmatch(r"recbms/main/\S+ \{\"topic\":.*\}\n", hear_first_line(code, tmp_path))

"""What the system reports of the process under test: memory, open files, threads, CPU time."""

import os
from pathlib import Path
from typing import NamedTuple


class Vitals(NamedTuple):
    """One look at a process. `memory` in bytes is what is its own: no file's page is in it."""

    memory: int
    resident: int
    files: int
    threads: int
    cpu: float

    @classmethod
    def of(cls, pid: int) -> "Vitals":
        """Look at a process."""
        words = dict(
            line.split(":", 1) for line in Path(f"/proc/{pid}/status").read_text().splitlines()
        )
        times = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        return cls(
            memory=int(words["RssAnon"].split()[0]) * 1024,
            resident=int(words["VmRSS"].split()[0]) * 1024,
            files=sum(1 for _ in Path(f"/proc/{pid}/fd").iterdir()),
            threads=int(words["Threads"]),
            cpu=(int(times[11]) + int(times[12])) / os.sysconf("SC_CLK_TCK"),
        )

    def __str__(self) -> str:
        return (
            f"{self.memory / 2**20:.2f} MiB of its own ({self.resident / 2**20:.2f} resident), "
            f"{self.files} files, {self.threads} threads"
        )

"""What was found: failures by their kind, with a few examples of each, and counts."""

from collections import Counter
from typing import Final

EXAMPLES: Final = 4


class Verdict:
    """Collects failures and counts."""

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()
        self._failures: dict[str, list[str]] = {}
        self._times: Counter[str] = Counter()

    @property
    def passed(self) -> bool:
        return not self._failures

    def fail(self, promise: str, what: str) -> None:
        """Note that a promise was broken."""
        self._times[promise] += 1
        examples = self._failures.setdefault(promise, [])
        if len(examples) < EXAMPLES:
            examples.append(what)

    def lines(self) -> list[str]:
        """Return the lines to print."""
        if self.passed:
            return ["PASS"]
        lines = []
        for promise, examples in self._failures.items():
            lines.append(f"FAIL {promise} ({self._times[promise]} times)")
            lines += [f"     {example}" for example in examples]
        return lines

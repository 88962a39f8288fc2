"""The view for dumb terminals, pipes and files: a line for each pack that has changed."""

from recbms_zmq.monitor import phrases
from recbms_zmq.monitor.model import Model
from recbms_zmq.monitor.pack_state import PackState
from recbms_zmq.text import amount, printable


def describe(pack: PackState) -> str:
    """Return the state of a pack as one line without control characters."""
    name = printable(pack.name)
    if not pack.online:
        return f"{name}: offline: {printable(pack.reason)}"
    state = pack.text("charge_state")
    current = amount(pack.number("current"), "A", 2, signed=True)
    parts = [
        amount(pack.number("soc"), "%", 1),
        amount(pack.number("voltage"), "V", 2),
        f"{current} {state}".strip(),
        phrases.power(pack.number("power")),
        phrases.time_left(pack),
    ]
    spread = phrases.spread(pack)
    if spread:
        parts.append(f"cells {spread}")
    warmest = pack.number("temperature_max")
    if warmest is not None:
        parts.append(amount(warmest, "°C", 1))
    line = f"{name}: {', '.join(printable(part) for part in parts if part)}"
    if pack.alarm is not None:
        line += "".join(f". {sentence.rstrip('.')}" for sentence in phrases.alarm(pack.alarm))
    return line


class PlainView:
    """Remembers the last line of each pack, and returns those that have changed."""

    def __init__(self) -> None:
        self._last: dict[int | str, str] = {}

    def changed_lines(self, model: Model) -> list[str]:
        """Return a line for every pack that has changed, and for every new refusal."""
        # Without a pack's age, which would make a line every second.
        now: dict[int | str, str] = {
            number: describe(pack)
            for number, pack in enumerate(model.packs)
            if pack.online is not None
        }
        now |= {
            endpoint: f"{endpoint} refused the connection: {why}"
            for endpoint, why in model.refusals.items()
        }
        lines = [line for key, line in now.items() if self._last.get(key) != line]
        self._last |= now
        return lines

"""Whether a module sends state of charge and health as ratios or in percent.

Real frames have ratios, 0 to 1. At least one other reader takes them as 0 to 100 from its module.
The state of health decides, because it is near 1 or near 100 for years; a state of charge of 1
could be either.
"""

from typing import Final, Literal

from recbms_zmq.wire.frames import Master, Settings

Scale = Literal["ratio", "percent"]
_MAX_RATIO: Final = 1.5
"""Above this a value is no ratio: a state of charge of 150 % does not exist, one of 1.5 % does."""
_LEAST_PERCENT: Final = 15.0
"""From here on a state of health is in percent; a ratio below 0.15 is no working battery either."""
_FRAMES_TO_CHANGE: Final = 3


class ScaleDetector:
    """Decides the scale by the first frame of a connection with a state of health.

    After that, only three such frames in a row with the other scale change it, so that one wild
    value does not. Without a state of health, two states of charge above 1.5 in a row mean percent.
    """

    def __init__(self) -> None:
        self._contrary = 0
        self._too_large = 0
        self.scale: Scale | None = None
        """None while nothing has decided it."""

    def on_connected(self) -> None:
        """Let the next state of health decide: another module may answer at the address."""
        self._contrary = _FRAMES_TO_CHANGE - 1

    def update(self, master: Master) -> None:
        """Take what a frame has."""
        health = _scale_of(master.state_of_health)
        if health is not None:
            self._contrary = 0 if health == self.scale else self._contrary + 1
            if self.scale is None or self._contrary >= _FRAMES_TO_CHANGE:
                self.scale = health
                self._contrary = 0
        elif self.scale is None and master.state_of_charge is not None:
            self._too_large = self._too_large + 1 if master.state_of_charge > _MAX_RATIO else 0
            if self._too_large >= 2:
                self.scale = "percent"

    def percent(self, value: float | None) -> float | None:
        """Return a state of charge or health in percent.

        None while the scale is undecided and the value cannot be a ratio.
        """
        if value is None or (self.scale is None and value > _MAX_RATIO):
            return None
        return value if self.scale == "percent" else value * 100


def settings_percent(settings: Settings, value: float | None) -> float | None:
    """Return a state of charge of the settings in percent.

    The settings have no state of health. Both of their states of charge are at most 1 as ratios.
    """
    if value is None:
        return None
    highest = max(settings.soc_manual_reset or 0.0, settings.soc_hysteresis or 0.0)
    return value if highest > _MAX_RATIO else value * 100


def _scale_of(health: float | None) -> Scale | None:
    if health is None or not 0 < health <= 10 * _LEAST_PERCENT:
        return None
    if health <= _MAX_RATIO:
        return "ratio"
    return "percent" if health >= _LEAST_PERCENT else None

"""The battery's surroundings over the day: sun, loads of the house, outdoor temperature.

Pure functions of the seed and the simulated time, which is in seconds since midnight of the first
day. Currents are those of a small system's battery (320 Ah), independent of its voltage.
"""

from math import cos, pi, sin, sqrt
from typing import Final

from recbms_zmq.simulator.random_numbers import uniform

DAY: Final = 86_400.0

_SUNRISE: Final = 6.5  # h
_DAYLIGHT: Final = 12.0  # h
_SUN_PEAK: Final = 52.0  # A
_CLOUD: Final = 600.0  # s, how long one stays
_APPLIANCE_SLOT: Final = 1800.0  # s; in each of these one appliance may run

# Streams of random numbers; each has its own, so that they are independent.
_DAYS, _CLOUDS, _RUNS, _POWER, _LENGTH, _FLICKER = range(6)


def sun(seed: int, time: float) -> float:
    """Return the available solar current, A: 0 at night, less under clouds."""
    day, second = divmod(time, DAY)
    height = sin(pi * (second / 3600 - _SUNRISE) / _DAYLIGHT)
    if height <= 0:
        return 0.0
    clouds = _smooth(seed, _CLOUDS, time / _CLOUD)
    weather = 0.2 + 0.8 * uniform(seed, _DAYS, int(day))
    # Clouds take little on a fine day and nearly everything on a dull one.
    return _SUN_PEAK * height * sqrt(height) * (1 - (1.05 - weather) * clouds)


def household(seed: int, time: float) -> float:
    """Return the load of the house, A: a base load, more in the evening, and appliances."""
    hour = time % DAY / 3600
    basic = 3.5 + 3.0 * _hump(hour, 7.5, 1.5) + 6.0 * _hump(hour, 20.0, 2.5)
    fridge = 5.0 if time % 2700 < 900 else 0.0
    slot, second = divmod(time, _APPLIANCE_SLOT)
    index = int(slot)
    awake = 0.02 + 0.4 * _hump(hour, 12.5, 1.5) + 0.5 * _hump(hour, 19.0, 2.5)
    appliance = 0.0
    if uniform(seed, _RUNS, index) < awake:
        length = 180 + 1200 * uniform(seed, _LENGTH, index)
        if second < length:
            appliance = 12 + 23 * uniform(seed, _POWER, index)
    flicker = 0.9 + 0.2 * uniform(seed, _FLICKER, int(time))
    return (basic + fridge + appliance) * flicker


def outdoors(seed: int, time: float) -> float:
    """Return the temperature around the battery, °C; the minimum is at 4:00."""
    days = time / DAY
    return 17.0 + 3.0 * _smooth(seed, _DAYS, days) - 4.0 * cos(2 * pi * (days - 4 / 24))


def _smooth(seed: int, stream: int, position: float) -> float:
    """Interpolate smoothly between the random numbers, 0 to 1, at integer positions."""
    index = int(position)
    part = position - index
    before, after = uniform(seed, stream, index), uniform(seed, stream, index + 1)
    return before + (after - before) * part * part * (3 - 2 * part)


def _hump(hour: float, middle: float, width: float) -> float:
    """Return 1 at `middle`, falling to 0 at `width` hours from it; hours wrap at midnight."""
    distance = abs((hour - middle + 12) % 24 - 12) / width
    return 0.0 if distance >= 1 else (1 + cos(pi * distance)) / 2

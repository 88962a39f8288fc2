"""Random numbers that depend on their key only, not on the order of calls.

The finalizer of SplitMix64 (Steele, Lea, Flood: Fast Splittable Pseudorandom Number Generators):
it has no state and takes a few multiplications. Not for secrets.
"""

from typing import Final

_MASK: Final = (1 << 64) - 1


def uniform(*key: int) -> float:
    """Return the number of this key: at least 0, less than 1."""
    mixed = 0
    for part in key:
        mixed = (mixed + part + 1) * 0x9E3779B97F4A7C15 & _MASK
        mixed = (mixed ^ mixed >> 30) * 0xBF58476D1CE4E5B9 & _MASK
        mixed = (mixed ^ mixed >> 27) * 0x94D049BB133111EB & _MASK
        mixed ^= mixed >> 31
    return (mixed >> 11) * 2.0**-53


def spread(*key: int) -> float:
    """Return the number of this key: at least -1, less than 1."""
    return 2 * uniform(*key) - 1

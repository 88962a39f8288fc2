"""All targets by name."""

from collections.abc import Callable
from typing import Final

from . import frames, sources, words

TARGETS: Final[dict[str, Callable[[bytes], None]]] = {
    "decoding": frames.decoding,
    "messages": frames.messages,
    "http": sources.http_answer,
    "recording": sources.recording,
    "lines": sources.stdin_lines,
    "configuration": words.configuration,
    "environment": words.environment,
    "arguments": words.arguments,
}

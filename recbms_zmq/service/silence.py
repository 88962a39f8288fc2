"""Explains a BMS from which nothing comes after the start, once."""

import logging
from collections.abc import Sequence
from typing import Final

from recbms_zmq.clock import SILENCE
from recbms_zmq.service.fleet import Bms

_MOST_EXPLAINED: Final = 5  # BMS with a line of their own

_log = logging.getLogger(__name__)


def explain_silence(fleet: Sequence[Bms]) -> None:
    """Log which BMS have sent no status frame yet, and what to do."""
    silent = [bms.pipeline for bms in fleet if not bms.pipeline.has_status]
    for pipeline in silent[:_MOST_EXPLAINED]:
        _log.warning(
            "%s: no status frame from %s for %g s (%s); still trying%s",
            pipeline.name,
            "stdin" if pipeline.address == "-" else pipeline.address,
            SILENCE,
            pipeline.reason,
            pipeline.next_step,
        )
    if len(silent) > _MOST_EXPLAINED:
        _log.warning("%d more BMS have sent no status frame yet", len(silent) - _MOST_EXPLAINED)

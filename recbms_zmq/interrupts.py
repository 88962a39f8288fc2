"""Ctrl-C for what runs for long: it raises KeyboardInterrupt, so that there is time to clean up.

Until then the command line ends the process at SIGINT. Without asyncio, which `listen` does not
load.
"""

import signal


def raise_interrupts() -> None:
    """Give SIGINT back to Python, unless it is ignored, as behind `&` in a script."""
    if signal.getsignal(signal.SIGINT) is not signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)

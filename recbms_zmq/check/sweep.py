"""Asks many addresses whether they are a BMS, a few at a time: `recbms-zmq find`."""

import asyncio
from collections import Counter
from collections.abc import Callable, Iterable
from ipaddress import IPv4Address
from typing import Final, Literal

from recbms_zmq.check.addresses import candidates
from recbms_zmq.check.next_steps import is_refused, may_be_a_module, may_be_elsewhere
from recbms_zmq.check.search import Search, search
from recbms_zmq.sources import Source

AT_A_TIME: Final = 32  # so an empty /22 takes 32 times as long as one address

Answer = Literal["bms", "possible", "web server", "refused", "silent"]
"""What is at an address: a BMS; what may be one, but gives no status (it wants a password, has too
many clients, or is silent); another web server; a device without one; nothing."""


def answer_of(found: Search) -> Answer:
    """Return what is at the address of a search."""
    reasons = list(found.failures.values())
    if found.url is not None:
        return "bms"
    if any(map(may_be_a_module, reasons)):
        return "possible"
    if all(map(is_refused, reasons)):
        return "refused"
    return "web server" if any(map(may_be_elsewhere, reasons)) else "silent"


async def sweep(
    addresses: Iterable[IPv4Address],
    open_source: Callable[[str], Source],
    seconds: float,
    report: Callable[[IPv4Address, Answer, Search], None],
) -> Counter[Answer]:
    """Search every address; return how many of them gave which answer.

    Args:
        addresses: to ask, in this order, each with one connection at a time.
        open_source: makes the source of a URL.
        seconds: the time that a status has to arrive, for each URL of an address.
        report: called for a BMS, and for what may be one, as soon as it is known.

    """
    # One iterator for all tasks: each takes the next address when it is free. A task for each
    # address would make 1,022 of them.
    pending = iter(addresses)
    answers: Counter[Answer] = Counter()

    async def ask() -> None:
        for address in pending:
            # Stays for the settings: the model is in them.
            found = await search(candidates(str(address)), open_source, seconds, stay=True)
            answer = answer_of(found)
            answers[answer] += 1
            if answer in ("bms", "possible"):
                report(address, answer, found)

    async with asyncio.TaskGroup() as group:
        for _ in range(AT_A_TIME):
            group.create_task(ask())
    return answers

"""Finds a BMS from a host alone: tries the websocket, then the page of older firmware."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

from recbms_zmq.check.findings import what_to_do, why_not
from recbms_zmq.check.next_steps import NOT_A_MODULE, may_be_a_module, may_be_elsewhere
from recbms_zmq.check.probe import Probe
from recbms_zmq.sources import Source


class Search(NamedTuple):
    """What was found.

    Attributes:
        url: the address of the BMS, None if there is none.
        probe: of that address, else of the one whose failure has the most to do with a module.
        failures: why the others are no BMS, by address.

    """

    url: str | None
    probe: Probe
    failures: dict[str, str]

    @property
    def next_step(self) -> str:
        """What the owner can do if no BMS was found."""
        reasons = self.failures.values()
        is_answered = len(reasons) > 1 and all(map(may_be_elsewhere, reasons))
        if is_answered and not self.probe.is_web_page and not any(map(may_be_a_module, reasons)):
            return NOT_A_MODULE
        return what_to_do(self.probe)


async def search(
    urls: Sequence[str], open_source: Callable[[str], Source], seconds: float, *, stay: bool
) -> Search:
    """Probe addresses one after the other until one of them is a BMS.

    A failure that concerns the host (refused, unreachable, name unknown) or its number of clients
    ends the search: the next address would only load a small device once more.
    """
    failures: dict[str, str] = {}
    probes: list[Probe] = []
    for url in urls:
        probe = Probe(open_source(url))
        # Without a second try: a device that is no BMS gets one connection for each address.
        await probe.run(seconds, stay=stay, retry=False)
        if probe.arrivals:
            return Search(url, probe, failures)
        failures[url] = why_not(probe)
        probes.append(probe)
        if not (probe.connected_after is not None or may_be_elsewhere(failures[url])):
            break
    # A websocket that opened is a module's, also if there is no page of older firmware beside it.
    modules = [probe for probe in probes if may_be_a_module(why_not(probe))]
    return Search(None, (modules or probes)[-1], failures)

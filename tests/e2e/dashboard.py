"""The dashboard's page, open in a real browser that `dashboard.mjs` drives."""

import json
import subprocess
from pathlib import Path
from typing import Any, Self

from e2e.installation import chromium, node, node_modules

WALL = (1920, 1080)
TABLET = (1280, 800)
PHONE = (390, 844)


class Dashboard:
    """A browser with one page."""

    def __init__(self, url: str, scheme: str = "dark", locale: str = "en-US") -> None:
        """Start the browser; `url` is Node-RED's; it asks for `dark` or `light` pages."""
        order = {
            "scheme": scheme,
            "locale": locale,
            "url": f"{url}/dashboard",
            "chromium": chromium(),
            "modules": str(node_modules()),
        }
        program = Path(__file__).with_name("dashboard.mjs")
        self._process = subprocess.Popen(
            [node(), str(program), json.dumps(order)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait(20)
        assert self._process.stdout is not None
        self._process.stdout.close()

    def open(self, size: tuple[int, int] = WALL, path: str = "/battery") -> None:
        """Open the page in a window of this size."""
        self._do("open", width=size[0], height=size[1], path=path)

    def read(self) -> dict[str, str]:
        """Return the texts of the page, by their place."""
        texts: dict[str, str] = self._do("read")
        return texts

    def charts(self) -> dict[str, Any]:
        """Return what each chart shows: its title, lines (names and paths), labels of both axes."""
        drawn: dict[str, Any] = self._do("charts")
        return drawn

    def choose(self, name: str) -> None:
        """Press the button of a pack."""
        self._do("choose", name=name)

    def skip(self, seconds: float) -> None:
        """Let the browser's clock jump, as if nothing had come for so long."""
        self._do("skip", seconds=seconds)

    def overflow(self) -> list[str]:
        """Return what reaches over the right edge of the window."""
        found: list[str] = self._do("overflow")
        return found

    def places(self) -> dict[str, list[int]]:
        """Return the place of each text of the page: left and top in pixels."""
        found: dict[str, list[int]] = self._do("places")
        return found

    def lowest_cell(self) -> float:
        """Return where the lowest cell ends, in pixels from the top of the window."""
        bottom: float = self._do("lowestCell")
        return bottom

    def complaints(self) -> list[str]:
        """Return the browser's errors since the last call."""
        errors: list[str] = self._do("complaints")
        return errors

    def picture(self, file: Path) -> None:
        """Take a picture of what the window shows."""
        self._do("picture", file=str(file))

    def _do(self, what: str, **rest: Any) -> Any:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps({"do": what, **rest}) + "\n")
        self._process.stdin.flush()
        answer = self._process.stdout.readline()
        assert answer, "the browser has ended; see above"
        return json.loads(answer)

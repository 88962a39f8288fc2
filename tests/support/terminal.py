"""A real terminal with a real shell in it: tmux, driven by keys and read from its screen."""

import shutil
import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

import pytest

from support.process import command, environment
from support.waiting import eventually

PROMPT: Final = "ready>"


class Terminal:
    """A shell in a terminal of given size; `$M` is the command `recbms-zmq monitor`.

    Args:
        folder: where the shell begins, and tmux has its socket.
        size: columns and rows.
        env: changes to the environment of the shell.
        shell: words that start it; it has to have the prompt that is in `PS1`.

    """

    def __init__(
        self,
        folder: Path,
        size: tuple[int, int] = (80, 24),
        env: dict[str, str] | None = None,
        shell: Sequence[str] = ("bash", "--norc", "--noprofile", "-i"),
    ) -> None:
        tmux = shutil.which("tmux")
        if tmux is None:
            pytest.skip("tmux is not installed")
        self._tmux = [tmux, "-u", "-f", "/dev/null", "-S", str(folder / "tmux")]
        place = ["-c", str(folder), "-x", str(size[0]), "-y", str(size[1])]
        self._do("new-session", "-d", *place, *_with_environment(shell, env or {}))
        self.until(PROMPT)

    def type(self, line: str) -> None:
        """Type a line into the shell."""
        self._do("send-keys", "-l", line)
        self.press("Enter")

    def press(self, *keys: str) -> None:
        """Press keys, by tmux's names."""
        self._do("send-keys", *keys)

    def resize(self, columns: int, rows: int) -> None:
        """Change the size of the terminal."""
        self._do("resize-window", "-x", str(columns), "-y", str(rows))

    @property
    def screen(self) -> str:
        """What can be read on the terminal, without spaces at the ends of lines."""
        return self._do("capture-pane", "-p")

    @property
    def state(self) -> tuple[str, str]:
        """Whether a program has a screen of its own, and whether there is a cursor."""
        alternate, cursor = self._do(
            "display-message", "-p", "#{alternate_on} #{cursor_flag}"
        ).split()
        return (
            "own screen" if alternate == "1" else "shell's screen",
            "cursor" if cursor == "1" else "no cursor",
        )

    @property
    def running(self) -> int:
        """The process that the shell has started."""
        shell = self._do("display-message", "-p", "#{pane_pid}").strip()
        children = Path(f"/proc/{shell}/task/{shell}/children")
        return int(eventually(lambda: children.read_text(encoding="ascii").split(), "a child")[-1])

    def until(self, *texts: str) -> str:
        """Wait until all these texts are on the screen; return the screen."""
        return self.until_like(lambda seen: all(text in seen for text in texts), str(texts))

    def until_like(self, found: Callable[[str], bool], what: str = "what is expected") -> str:
        """Wait until the screen is as it has to be; return it."""
        seen = ""

        def shown() -> bool:
            nonlocal seen
            seen = self.screen
            return found(seen)

        try:
            eventually(shown, f"{what} on the screen")
        except AssertionError as exc:
            raise AssertionError(f"{exc}; there is:\n{seen}") from None
        return seen

    def close(self) -> None:
        """End the shell and what runs in it."""
        self._do("kill-server")

    def _do(self, *words: str) -> str:
        done = subprocess.run([*self._tmux, *words], check=False, capture_output=True, timeout=60)
        assert done.returncode == 0, (words[0], done.stderr)
        lines = done.stdout.decode().splitlines()
        return "".join(f"{line.rstrip()}\n" for line in lines)


def _with_environment(shell: Sequence[str], changes: dict[str, str]) -> list[str]:
    variables = environment(LC_ALL="C.UTF-8", PS1=PROMPT, M=" ".join(command("monitor")))
    variables.pop("TERM", None)  # tmux knows better
    variables |= changes
    given = [f"{name}={value}" for name, value in variables.items()]
    return ["env", "-u", "NO_COLOR", *given, *shell]

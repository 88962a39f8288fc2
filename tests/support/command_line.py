"""The command line in the test's own process, for what ends before anything is started."""

import contextlib
import io

from recbms_zmq.cli import main


def answer(*arguments: str) -> tuple[int | str | None, str, str]:
    """Run the command line; return exit code, stdout and stderr."""
    out, err = (io.TextIOWrapper(io.BytesIO(), encoding="utf-8") for _ in range(2))
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            code: int | str | None = main(arguments)
        except SystemExit as exc:
            code = exc.code
    for stream in (out, err):
        stream.seek(0)
    return code, out.read(), err.read()

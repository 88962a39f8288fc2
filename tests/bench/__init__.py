"""A benchmark that anyone can run: `python -m tests.bench`, or parts of it; `--help` lists them.

It compares the service with "the limit": a loop that receives from a websocket and sends the
undecoded bytes on ZeroMQ. All figures come from fresh processes of one run: the process under test
runs on one core, the load on another. Compare figures of one run only, and ratios rather than
seconds: another machine, or the same machine under another load, gives other seconds.
"""

"""A benchmark anyone can run: `python -m tests.bench`, about three minutes; `--quick`, half a one.

It compares the service with "the limit": a bare loop that receives from a websocket and sends the
undecoded bytes on ZeroMQ. Every figure is from fresh processes in one run, the process under test
on one core and the load on another; a figure means something beside the others of its run only.
"""

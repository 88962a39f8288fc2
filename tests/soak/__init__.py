"""A soak anyone can run: `python -m tests.soak`, ten minutes; `--seconds 40` in the test suite.

It starts the real command with a fleet of simulated BMS whose faults are drawn from a seed, and
with readers that stall, vanish and come back, and judges from the outside whether promises hold:

- `fleet` is a process with the real simulator servers. It keeps a journal of every message right
  before it is sent; `chaos` draws their faults and the service's configuration.
- `readers` are one well-behaved subscriber, which has to get every message, and those that are not:
  what they get has to be what the well-behaved one got, byte for byte.
- `judge` holds the well-behaved one's state against the journal, which `truth` reads by rules of
  its own: after each frame it must equal one frame that was sent at that time.
- `vitals` looks at memory, open files and threads in two calms: after a first chaos, and after a
  longer second one. In both, every reader has to have the same, true, whole state.
"""

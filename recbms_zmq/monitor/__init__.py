"""The live view of `recbms-zmq monitor`: packs on a terminal, from a BMS or a running service.

Data flows one way here too::

    feeds ──messages──▶ model ──state──▶ render ──lines──▶ screen
    (in process,        (pure)           (pure; `plain`    (terminal and keys)
     SUB socket)                          for a pipe)

The lines are made with rich, an optional dependency. The view runs on a Raspberry Pi behind ssh,
and rich loads in a fifth of textual's time with half of its memory (measured: 49 ms and 14 MiB
against 264 ms and 31 MiB). `screen` sends only the rows that have changed, about 2 kB a second for
a pack of 16 cells. Only `render`, the modules it draws with, and `screen` import rich.
"""

"""The live view of `recbms-zmq monitor`: packs on a terminal, from a BMS or a running service.

Data flows one way here too::

    feeds ──messages──▶ model ──state──▶ render ──lines──▶ screen
    (in process,        (pure)           (pure, or         (terminal and keys)
     SUB socket)                          plain: a line)

The lines are made with rich, an optional dependency. It was chosen over textual for what the view
runs on: a Raspberry Pi behind ssh. Rich loads in a fifth of the time and takes half of the memory
(measured: 49 ms and 14 MiB against 264 ms and 31 MiB), and it leaves the terminal to `screen`,
which sends only the rows that have changed, about 2 kB a second for a pack of 16 cells. What
textual adds (widgets, mouse, style sheets) a page of bars does not need. Only `render`, what it
draws with, and `screen` import it.
"""

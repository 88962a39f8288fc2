"""The options, and where they are set: command line, environment, file.

Beside them is how the program itself is typed and completed, which every layer above may print.
"""

"""The options, and where they are set: command line, environment, file."""

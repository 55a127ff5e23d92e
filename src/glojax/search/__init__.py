"""The search as runs: options, commands, progress and files."""

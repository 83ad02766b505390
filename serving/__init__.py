"""The front door: HTTP API and the commands that answer messages."""

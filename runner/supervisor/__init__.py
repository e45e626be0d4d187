"""The parent: loop, fork and reap, backoff, logs, control socket, status."""

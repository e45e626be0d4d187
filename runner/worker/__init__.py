"""One pair's life: triggers, passes, heartbeat."""

"""JSON messages, with descriptors, between the processes of one runner."""

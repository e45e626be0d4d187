"""The demonstration: a local S3 server, two pairs, a supervisor at work."""

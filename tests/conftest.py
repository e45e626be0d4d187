"""Shared by all tests: the repository's root is importable, so that tests can use `demo.seaweedfs`."""

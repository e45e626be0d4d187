"""The image, built and run for real with podman; `make test-container`."""

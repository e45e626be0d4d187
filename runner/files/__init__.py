"""The pair's folder: descriptors, marker, lock, scan, trash, watch."""

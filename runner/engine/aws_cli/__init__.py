"""Push and pull through the real `aws s3 sync`, inside guard rails: the CLI moves bytes, it never decides deletions."""

"""An S3 bucket as a folder, without a mount.

Rooms, from the top down (imports go down only): cli, supervisor, worker, engine, store and files, config, wire, model.
"""

__version__ = "0.2.0"

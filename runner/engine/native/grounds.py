"""The folder of one pair between passes: its tree, opened anew when the path leads elsewhere, and the scratch place."""

from pathlib import Path

from runner.config.settings import Pair
from runner.engine.native.memory import Memory
from runner.engine.native.observation import remove_stale
from runner.engine.proof import FolderProof
from runner.files.trash import Trash
from runner.files.tree import Tree


class Grounds:
    """For the pass's thread. proof: knows which folder it is now."""

    def __init__(self, pair: Pair, proof: FolderProof[Memory]) -> None:
        self._pair = pair
        self._proof = proof
        self._tree: Tree | None = None

    @property
    def scratch_place(self) -> Path:
        """For what lives as long as a pass."""
        return self._proof.private.path / "tmp"

    def tree(self, now: float) -> Tree:
        """The tree of the folder as it is proven now. now: seconds since the epoch. Raises OSError."""
        folder = self._proof.folder
        if self._tree is None or self._tree.folder is not folder:
            self.close()
            self._tree = self._opened()
            self._tree.sweep(now)
            remove_stale(self.scratch_place)
        return self._tree

    def close(self) -> None:
        tree, self._tree = self._tree, None
        if tree is not None:
            tree.close()
            tree.trash.close()

    def _opened(self) -> Tree:
        folder, private, pair = self._proof.folder, self._proof.private, self._pair
        return Tree(
            folder,
            private,
            Trash(folder, private, pair.trash),
            file_mode=pair.file_mode,
            dir_mode=pair.dir_mode,
            umask=pair.umask,
            gid=pair.gid,
        )

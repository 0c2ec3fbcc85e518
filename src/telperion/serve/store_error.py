"""`StoreError`: apart from `telperion.serve.store`, which needs the extra ``stream``, since a sky needs none."""


class StoreError(RuntimeError):
    """A store, or a sky, cannot be used or written: it says why, and what helps."""

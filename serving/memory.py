"""Memory: what a model that left held goes back to the system, which glibc's allocator would keep in fragments."""

from __future__ import annotations

import ctypes
import gc


def give_back() -> None:
    """Collect what nobody holds any more and return free pages to the system, where the C library can."""
    gc.collect()
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:
        trim(0)

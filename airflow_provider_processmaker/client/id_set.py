"""Which ids were seen, in little memory. Standard library only."""

from __future__ import annotations

__all__ = ["IdSet"]

_BITS = 32_768


class IdSet:
    """A set of whole numbers as bitmaps: a million ids that lie close together take some 130 kB."""

    def __init__(self) -> None:
        self._maps: dict[int, bytearray] = {}

    def add(self, number: int) -> bool:
        """Add a number; tell whether it is new.

        :param number: an id.
        """
        chunk, bit = divmod(number, _BITS)
        bits = self._maps.setdefault(chunk, bytearray(_BITS // 8))
        byte, mask = bit >> 3, 1 << (bit & 7)
        if bits[byte] & mask:
            return False
        bits[byte] |= mask
        return True

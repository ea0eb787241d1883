"""Reads a body, unpacked and bounded.

By ourselves and not by urllib3, which takes a packed answer that was cut off for a complete one.
"""

from __future__ import annotations

import zlib
from typing import TYPE_CHECKING

from urllib3.exceptions import DecodeError

from airflow_provider_processmaker.client.pacing import LARGEST_ANSWER, AnswerTooLargeError

if TYPE_CHECKING:
    from collections.abc import Iterator

    import requests

__all__ = ["ACCEPTED", "read_body"]

#: What we unpack, for ``Accept-Encoding``.
ACCEPTED = "gzip"

CHUNK = 65_536

#: Of each packed part.
_FIRST_BYTE = 0x1F


def read_body(response: requests.Response, most: int | None) -> bytes:
    """The body of an answer.

    :param response: an answer of which only the head was read.
    :param most: bytes after which the rest is left unread; None for an answer that has to be complete.
    :raises DecodeError: if it is packed and broken, or was cut off.
    :raises OSError: if it has no end.
    """
    packed = response.headers.get("content-encoding", "").strip().lower() in {"gzip", "x-gzip"}
    if most is None and not packed:
        # In one piece; the socket's reader holds the bound.
        whole: bytes = response.raw.read(decode_content=False)
        return whole
    pieces = _unpacked(_packed(response)) if packed else _packed(response)
    chunks, size = [], 0
    for piece in pieces:
        chunks.append(piece)
        size += len(piece)
        if most is not None and size >= most:
            break
        if size > LARGEST_ANSWER:
            raise AnswerTooLargeError
    return b"".join(chunks)


def _packed(response: requests.Response) -> Iterator[bytes]:
    while chunk := response.raw.read1(CHUNK, decode_content=False):
        yield chunk


def _unpacked(pieces: Iterator[bytes]) -> Iterator[bytes]:
    """In small steps: a few bytes may unpack to very many.

    There may be several packed parts, one behind the other; what else is behind them is padding.
    """
    packer = zlib.decompressobj(16 + zlib.MAX_WBITS)
    begun = False
    try:
        for piece in pieces:
            begun, waiting = True, piece
            while waiting:
                if packer.eof:
                    if waiting[0] != _FIRST_BYTE:
                        break
                    packer = zlib.decompressobj(16 + zlib.MAX_WBITS)
                yield packer.decompress(waiting, CHUNK)
                waiting = packer.unused_data if packer.eof else packer.unconsumed_tail
    except zlib.error as error:
        raise DecodeError("the packed answer is broken") from error
    if begun and not packer.eof:
        raise DecodeError("the packed answer was cut off")

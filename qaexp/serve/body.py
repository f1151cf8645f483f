"""The body of a request: counted while it comes, and waited for no longer than it is worth."""

from __future__ import annotations

import asyncio

from starlette.requests import ClientDisconnect, Request

from qaexp.web.refusals import GONE, RefusedError

SECONDS = 10.0
"""So long a client may take to send a body."""

# A client that is still sending does not read a reply: what is too large is received and dropped, up to here.
_DROPPED_BYTES = 2**26


async def read_body(request: Request, max_bytes: int) -> bytes:
    """Receive a body.

    Args:
        request: The request.
        max_bytes: The largest body.

    Raises:
        RefusedError: 413: it is larger; 408: it takes longer; 415: it is compressed; the client went away.
    """
    if request.headers.get("content-encoding", "identity").lower() != "identity":
        raise RefusedError(415, "the body is compressed; send it as it is", closes=True)
    length = request.headers.get("content-length", "")
    announced = int(length) if length.isdecimal() else 0
    waits_for_word = request.headers.get("expect", "").lower() == "100-continue"
    if announced > _DROPPED_BYTES or (announced > max_bytes and waits_for_word):
        raise _too_large(max_bytes)
    try:
        async with asyncio.timeout(SECONDS):
            return await _received(request, max_bytes)
    except TimeoutError as error:
        raise RefusedError(
            408, f"the body did not come within {SECONDS:g} seconds; send it at once", closes=True
        ) from error
    except ClientDisconnect as error:
        raise RefusedError(GONE, "the client went away") from error


async def _received(request: Request, max_bytes: int) -> bytes:
    parts: list[bytes] = []
    size = 0
    async for part in request.stream():
        size += len(part)
        if size > _DROPPED_BYTES:
            break
        if size > max_bytes:
            parts.clear()
        else:
            parts.append(part)
    if size > max_bytes:
        raise _too_large(max_bytes)
    return b"".join(parts)


def _too_large(max_bytes: int) -> RefusedError:
    return RefusedError(413, f"the body is larger than {max_bytes:,} bytes; send a shorter text", closes=True)

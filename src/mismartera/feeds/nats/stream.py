"""The stream on the server: made by a bridge with bounds on its age and size, and known by its version."""

from __future__ import annotations

from typing import Final

from msgspec import Struct
from nats.js.api import DiscardPolicy, RetentionPolicy, StorageType, StreamConfig, StreamInfo
from nats.js.errors import APIError, NotFoundError

from mismartera.feeds.nats.link import BusAddress, Link, LinkEndedError, NobodyAnswersError
from mismartera.feeds.nats.wire import PAYLOAD_BYTES_MAX, WIRE_VERSION

_VERSION_KEY: Final = "mismartera_bus"
_DUPLICATE_SECONDS: Final = 600.0
"""So long the server knows a message again that is published twice; readers know it longer."""
_HEADER_BYTES: Final = 1024
_NO_JETSTREAM: Final = "has no JetStream: start it with -js"


class Retention(Struct, frozen=True):
    """How much a stream keeps: what is older or more is removed, the oldest first."""

    max_age_seconds: float = 24 * 3600.0
    max_bytes: int = 1024 * 2**20


async def make_stream(link: Link, address: BusAddress, retention: Retention) -> StreamInfo:
    """The stream, made if it is not there, with these bounds. LinkEndedError (fatal) if it cannot be ours."""
    config = StreamConfig(
        name=address.stream, subjects=[address.feed_subject], retention=RetentionPolicy.LIMITS,
        storage=StorageType.FILE, discard=DiscardPolicy.OLD, max_age=retention.max_age_seconds,
        max_bytes=retention.max_bytes, max_msg_size=PAYLOAD_BYTES_MAX + _HEADER_BYTES,
        duplicate_window=min(_DUPLICATE_SECONDS, retention.max_age_seconds),
        metadata={_VERSION_KEY: str(WIRE_VERSION)},
    )  # fmt: skip
    try:
        if await find_stream(link, address) is None:
            return await link.api(link.js.add_stream(config))  # type: ignore[no-any-return]
        return await link.api(link.js.update_stream(config))  # type: ignore[no-any-return]
    except APIError as error:
        text = f"the NATS server refuses the stream {address.stream}: {error.description}"
        raise LinkEndedError(text, is_fatal=True) from None


async def find_stream(link: Link, address: BusAddress) -> StreamInfo | None:
    """The stream, None if there is none. LinkEndedError if it cannot be asked, or (fatal) has another version."""
    try:
        info: StreamInfo = await link.api(link.js.stream_info(address.stream))
    except NotFoundError:
        return None
    except APIError as error:
        raise LinkEndedError(f"the NATS server at {address.url}: {error.description}") from None
    except NobodyAnswersError as error:
        why = _NO_JETSTREAM if error.is_absent else "does not answer"
        raise LinkEndedError(f"the NATS server at {address.url} {why}") from None
    found = (info.config.metadata or {}).get(_VERSION_KEY)
    if found != str(WIRE_VERSION):
        what = "is no stream of a bridge" if found is None else f"has version {found}"
        text = f"the stream {address.stream} at {address.url} {what}; allowed: version {WIRE_VERSION}"
        raise LinkEndedError(f"{text}; name another one, or delete it", is_fatal=True)
    return info


def created_of(info: StreamInfo) -> str:
    """What tells a stream from one of the same name that was deleted."""
    return info.created.isoformat() if info.created is not None else ""

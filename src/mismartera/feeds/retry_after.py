"""The header Retry-After: seconds, or an HTTP date."""

from __future__ import annotations

from datetime import UTC
from email.utils import parsedate_to_datetime

from mismartera.bars.instants import SECOND_US, to_us

RETRY_AFTER_SECONDS_MAX = 3_600.0


def retry_after_seconds(header: str | None, now_us: int) -> float | None:
    """How long to wait from ``now_us`` on, from 0 to an hour; None for a header that is absent or says nothing."""
    text = (header or "").strip()
    if text.isascii() and text.isdigit():
        seconds = float(text[:9])
    else:
        try:
            moment = parsedate_to_datetime(text)
            zoned = moment if moment.tzinfo else moment.replace(tzinfo=UTC)  # "-0000" means UTC without a place
            seconds = (to_us(zoned) - now_us) / SECOND_US
        except (ValueError, TypeError, IndexError, OverflowError):
            return None
    return min(max(seconds, 0.0), RETRY_AFTER_SECONDS_MAX)

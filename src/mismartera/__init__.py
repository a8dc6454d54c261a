"""mismartera: a market-data session engine that never lets a strategy act on stale bars."""

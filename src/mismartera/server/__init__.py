"""A session over HTTP and WebSocket: reads, commands, a stream, metrics and a page. Needs the extra ``server``."""

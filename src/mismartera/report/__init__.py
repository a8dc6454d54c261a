"""F6: what a run leaves behind and shows: event log, dump, log messages, progress, tables."""

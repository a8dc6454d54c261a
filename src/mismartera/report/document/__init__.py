"""The report: one self-contained HTML document made of a session's events, and of what the run knows besides."""

"""F4: live sessions: bars from a feed become the session's bars, whole and in order, whatever happens."""

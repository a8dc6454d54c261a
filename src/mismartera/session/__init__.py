"""F3: the session: when bars are shown (coordinator), how (the rest)."""

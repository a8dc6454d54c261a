"""F0: files that survive a power loss, and locks between processes: for whatever keeps something on a disk."""

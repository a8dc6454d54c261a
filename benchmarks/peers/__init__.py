"""The peers: what they are, an environment for each, and how each is driven at its fastest fair setting."""

"""A session in another process, followed and steered from here: addresses, the client, the terminal view."""

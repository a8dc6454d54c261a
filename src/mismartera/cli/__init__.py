"""F6: the command line.

Modules here import click and the standard library at their top, everything else inside the commands: a help text
must not wait for Polars and the calendars.
"""

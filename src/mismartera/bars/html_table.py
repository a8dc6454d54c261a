"""Small HTML tables for notebooks: what ``_repr_html_`` of bars, quality and runs shows."""

from __future__ import annotations

import html
from collections.abc import Sequence

ROWS_MAX = 20


def html_table(title: str, columns: Sequence[str], rows: Sequence[Sequence[object]], total: int) -> str:
    """A table of ``rows``, all texts escaped; says so if they are not the ``total``."""
    head = "".join(f"<th>{html.escape(name)}</th>" for name in columns)
    body = "".join(f"<tr>{''.join(f'<td>{html.escape(_text(v))}</td>' for v in row)}</tr>" for row in rows)
    shown = "" if len(rows) == total else f"<p>{len(rows):,} of {total:,} rows</p>"
    return (
        f"<div><strong>{html.escape(title)}</strong><table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"
        f"{shown}</div>"
    )


def _text(value: object) -> str:
    return "" if value is None else f"{value:,.10g}" if isinstance(value, float) else str(value)

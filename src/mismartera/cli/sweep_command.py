"""``mismartera sweep``: its options."""

from __future__ import annotations

from pathlib import Path

import click

from mismartera.cli.status import Settings, data_option, json_option, log_level_option


@click.command()
@click.argument("config", metavar="CONFIG")
@click.option("--grid", metavar="GRID", required=True, help="JSON file with what varies; see docs/SWEEPS.md.")
@data_option
@click.option(
    "--out", type=click.Path(path_type=Path), metavar="DIR",
    help="Keep the results there, as Parquet, and go on there after a stop [default: sweeps/CONFIG-GRID].",
)  # fmt: skip
@click.option("--workers", type=click.IntRange(min=1), metavar="N", help="Processes [default: one per processor].")
@click.option("--dask", metavar="ADDRESS", help="Run on the Dask cluster with this scheduler: tcp://host:port.")
@click.option("--fresh", is_flag=True, help="Run tasks again that were finished before.")
@click.option("--quiet", is_flag=True, help="No progress, no table.")
@json_option
@log_level_option
@click.pass_obj
def sweep(
    settings: Settings, config: str, grid: str, store: str, out: Path | None, workers: int | None,
    dask: str | None, *, fresh: bool, quiet: bool, as_json: bool,
) -> int:  # fmt: skip
    """Run the backtest of CONFIG once for each task of GRID: values of its keys, and stretches of its dates.

    A task that fails is reported with its values and does not stop the others; exit status 1 says that there was
    one. Each result is kept as it comes: after Ctrl-C, or a crash, the same command goes on where it was.
    """
    from mismartera.cli.sweeping import SweepOptions, run_sweep  # heavy: the whole engine

    return run_sweep(
        config, grid,
        SweepOptions(
            store=store, out=out, workers=workers, dask=dask, fresh=fresh, quiet=quiet, as_json=as_json,
            log_level=settings.log_level,
        ),
    )  # fmt: skip

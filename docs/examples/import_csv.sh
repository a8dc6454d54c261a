#!/usr/bin/env bash
# A CSV of one-minute bars, with New York times and no column for the symbol, becomes a store that sessions can read.
#     docs/examples/import_csv.sh [STORE]       (default: data)
set -euo pipefail
store=${1:-data}
examples=$(dirname "$0")

mismartera data import "$examples/ORCA.csv" --data "$store" --symbol ORCA --interval 1m --tz America/New_York
mismartera data import "$examples/ORCA.csv" --data "$store" --symbol ORCA --interval 1m --tz America/New_York  # changes nothing
mismartera data ls --data "$store"
mismartera data check --data "$store"

# `make run` and `make test` are all that a newcomer needs; `make help` lists the rest.
PYTHON ?= python3
VENV ?= .venv
DATA ?= sample
CONFIG ?= session_configs/dynamic_symbols.json
BIN := $(VENV)/bin
INSTALLED := $(VENV)/.installed
SAMPLE := $(DATA)/_delta_log

.DEFAULT_GOAL := help
.PHONY: help setup run test check format simulate soak bench peers lock clean

help:  ## list these targets
	@sed -n 's/^\([a-z]*\):.*## /\1\t/p' $(MAKEFILE_LIST) | expand -t 10

setup: $(INSTALLED)  ## make .venv with everything that is needed (again only when the requirements change)

$(INSTALLED): requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
	  || { $(PYTHON) --version; echo 'mismartera needs Python 3.11 or newer: make PYTHON=python3.12 ...'; exit 1; } >&2
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check uv
	$(BIN)/uv pip install --quiet --python $(BIN)/python --compile-bytecode -r requirements.lock
	$(BIN)/uv pip install --quiet --python $(BIN)/python --compile-bytecode --no-deps -e .
# Byte code of an editable install is ours to write, or each start compiles the package where writing it is off.
	$(BIN)/python -m compileall -q src
	@touch $@

$(SAMPLE): | $(INSTALLED)
	$(BIN)/mismartera data sample --data $(DATA)

run: $(INSTALLED) $(SAMPLE)  ## stream a sample session: a symbol joins at 10:00, another leaves at 14:00
	$(BIN)/mismartera run $(CONFIG) --data $(DATA) --log-level INFO

# Two workers more than cores, as many tests wait for sockets and processes; neighbours share what a module prepares.
WORKERS ?= $(shell $(PYTHON) -c 'import os; print((os.cpu_count() or 1) + 2)')

# Each worker compiles the tests, a third of the time until the first one runs: their byte code is kept for the next run.
test: export PYTHONDONTWRITEBYTECODE =
test: $(INSTALLED)  ## run all tests, and beside them a rehearsal of a half day, which takes four minutes
	@log=$$(mktemp); $(BIN)/pytest tests/rehearsal >$$log 2>&1 & rehearsal=$$!; \
	trap 'kill $$rehearsal; rm -f $$log; exit 130' INT TERM; \
	$(BIN)/pytest -n $(WORKERS) --dist worksteal; tests=$$?; \
	echo 'The rehearsal of a half day goes on for some minutes more.'; \
	wait $$rehearsal; half_day=$$?; cat $$log; rm -f $$log; \
	test $$tests -eq 0 && test $$half_day -eq 0

check: $(INSTALLED)  ## style, types, floors, and the sizes that may only shrink
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/pytest tests/tidy

format: $(INSTALLED)  ## let ruff mend what it can
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

SEEDS ?= 1000

simulate: $(INSTALLED)  ## simulated live sessions with faults (SEEDS=10000); a failing seed says how to see it again
	$(BIN)/python -m mismartera.testing.simulate --seeds $(SEEDS)

SOAK ?= --kills 500 --days 30 --minutes 60

soak: $(INSTALLED)  ## for hours: kills, a month at speed, an hour of faults (SOAK="--kills 9 --days 1 --minutes 3")
	$(BIN)/python -m mismartera.testing.soak $(SOAK)

bench: $(INSTALLED)  ## measure beside floors, and beside peers if they are set up (BENCH=--quick: 3 rounds, fewer shapes)
	$(BIN)/python -m benchmarks.run $(BENCH)
	$(BIN)/python -m benchmarks.live $(filter --quick,$(BENCH))
	$(BIN)/python -m benchmarks.journal $(filter --quick,$(BENCH))
	$(BIN)/python -m benchmarks.bus
	$(BIN)/python -m benchmarks.sweep $(if $(filter --quick,$(BENCH)),--rounds 1 --tasks 50)

peers: $(INSTALLED)  ## set up the other engines that bench measures, each in an environment of its own
	$(BIN)/python -m benchmarks.peers.setup $(PEERS)

# The lock names no registry: uv.lock, which does, is removed.
lock: $(INSTALLED)  ## choose newer versions within pyproject.toml's ranges, for requirements.lock
	$(BIN)/uv export --quiet --upgrade --all-groups --all-extras --no-emit-project --no-header --no-annotate \
	  --format requirements-txt --output-file requirements.lock
	rm -f uv.lock

clean:  ## remove what the other targets made, but for data
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache dist
	find src tests benchmarks docs session_configs -name __pycache__ -type d -prune -exec rm -rf {} +

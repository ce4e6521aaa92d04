# Two commands do everything on a fresh machine: `make demo` and `make test`. Each makes .venv when it is missing or
# stale (a build file or a C source is newer than the last installation); a second call starts at once.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
SOURCES := pyproject.toml CMakeLists.txt $(wildcard native/*)

.PHONY: demo test test-all lint format bench dist clean

demo: $(STAMP)
	@$(BIN)/stratum-miner demo

test: $(STAMP)
	@$(BIN)/pytest

test-all: $(STAMP)
	@$(BIN)/pytest -m ''

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

# Two commands do everything on a fresh machine: `make demo` and `make test`. Each makes .venv when it is missing, not
# whole or stale (a build file or a C source is newer than the last installation); a second call starts at once.
#
# What is installed is locked in requirements/, with hashes: every file that pip takes is one that `make lock` saw.
# `make demo` installs only what the demo and the commands in its last lines need; other targets install everything.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
DEMO_STAMP := $(VENV)/.demo
WORKERS ?= $(shell echo $$(($$(getconf _NPROCESSORS_ONLN) + 2)))
# What the tests of a file build is built once, and the files begin in the order of tests/conftest.py.
BY_FILE := --dist loadfile --no-loadscope-reorder
FUZZ_SECONDS ?= 120
FUZZ_JOBS ?= 1
LOCK := requirements/all.txt
DEMO_LOCK := requirements/demo.txt
SOURCES := pyproject.toml CMakeLists.txt $(wildcard native/*)
PIP := $(BIN)/python -m pip --quiet --disable-pip-version-check
# The Python that the caller named. Without one, an environment of any suitable Python is right.
NAMED := $(if $(filter file,$(origin PYTHON)),,$(PYTHON))
AGAIN := $(shell sh requirements/environment.sh sound $(VENV) $(NAMED) || echo again)
INSTALL = @sh requirements/environment.sh make $(VENV) $(PYTHON)

# Tests start the program often. One that may not keep its compiled modules takes several times as long to start.
test second-tier: export PYTHONDONTWRITEBYTECODE :=

.PHONY: again demo test second-tier test-all fuzz docs lint format bench bench-check measure dist lock upgrade base-image clean

# An environment with everything has what the demo needs.
demo: $(or $(wildcard $(STAMP)),$(DEMO_STAMP))
	@$(BIN)/stratum-miner demo

# Two workers more than there are processors, because many tests wait.
test: $(STAMP)
	@$(BIN)/pytest --numprocesses $(WORKERS) $(BY_FILE)

# Sanitizers, ARM under emulation, other compilers, the browser, long audits; TESTS may name some of the folders.
TESTS ?=
second-tier: $(STAMP)
	@$(BIN)/pytest --numprocesses $(WORKERS) $(BY_FILE) -m slow $(TESTS)

test-all: second-tier test

# Every target of tests/fuzz for so many seconds; docs/how-to/fuzz.md says more.
fuzz: $(STAMP)
	@$(PIP) install --require-hashes --requirement requirements/fuzz.txt
	@$(BIN)/python -m tests.fuzz.run --seconds $(FUZZ_SECONDS) --jobs $(FUZZ_JOBS)

# The documents as a site in build/site, with the Python reference; a dead link or any other warning is an error.
docs: $(STAMP)
	@$(PIP) install --require-hashes --requirement requirements/docs.txt
	@NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --quiet
	@echo "the site: build/site/index.html"

lint: $(STAMP)
	@$(BIN)/ruff check
	@$(BIN)/ruff format --check
	@$(BIN)/mypy
	@$(BIN)/mypy --platform darwin --cache-dir .mypy_cache/darwin stratum_miner

format: $(STAMP)
	@$(BIN)/ruff check --fix
	@$(BIN)/ruff format

bench: $(STAMP)
	@$(BIN)/stratum-miner bench

# Whether this checkout is slower than the commit BASE. With QUICK=1, it takes about a minute and a half.
BASE ?= HEAD~1
bench-check: $(STAMP)
	@$(BIN)/python -m benchmarks.check --base $(BASE) $(if $(QUICK),--quick)

# Figures of docs/measured again, from the code of a commit, on a computer that does nothing else: those that run in turns
# (5 minutes), and those that MEASURE names. All others take an hour more: MEASURE='failover load_pool device_rates browser
# attacks open_page dependencies'. benchmarks.against_miner is run by hand, because it needs the binary of another miner.
MEASURE ?= failover load_pool
LOAD := --duration 40 --ramp 14 --block-every 8 --workers 3
measure: $(STAMP)
	@$(BIN)/python -m benchmarks --save
	@set -e; for name in $(MEASURE); do \
	  case $$name in load_pool) options='$(LOAD)' ;; *) options= ;; esac; \
	  $(BIN)/python -m benchmarks.$$name $$options --save; \
	done
	@$(BIN)/python -m benchmarks.tables

# One commit makes the same two files, byte for byte, on every machine with the same compiler. Where there is no commit, as
# in an unpacked sdist, they have the first date that a ZIP file can have.
dist: export SOURCE_DATE_EPOCH ?= $(or $(shell git log -1 --format=%ct 2>/dev/null),315532800)
dist: $(STAMP)
	@rm -rf dist
	@$(BIN)/python -m build --no-isolation

# After a change of pyproject.toml. Versions that still fit stay as they are; `make upgrade` takes the newest of all.
COMPILE = $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --custom-compile-command 'make lock'

lock: $(BIN)/uv
	@$(COMPILE) $(UPGRADE) pyproject.toml --all-extras --group dev --output-file $(LOCK)
	@$(COMPILE) pyproject.toml --extra page --extra metrics --constraint $(LOCK) --output-file requirements/runtime.txt
	@$(COMPILE) pyproject.toml --extra regtest --extra page --group build --constraint $(LOCK) --output-file $(DEMO_LOCK)
	@$(COMPILE) --constraint $(LOCK) --group build --output-file requirements/build.txt
	@$(COMPILE) $(UPGRADE) --group fuzz --output-file requirements/fuzz.txt
	@$(COMPILE) $(UPGRADE) --constraint $(LOCK) --group release --output-file requirements/release.txt
	@$(COMPILE) $(UPGRADE) --constraint $(LOCK) --group docs --output-file requirements/docs.txt

upgrade: UPGRADE = --upgrade
upgrade: lock

# Where Docker can ask its registry: the base image by its digest, or by a newer one.
base-image:
	@digest=$$(docker buildx imagetools inspect python:3.11-slim --format '{{.Manifest.Digest}}') && \
	  sed -i "s/^ARG BASE=.*/ARG BASE=python:3.11-slim@$$digest/" Dockerfile && grep '^ARG BASE=' Dockerfile

clean:
	rm -rf $(VENV) build dist .mypy_cache .pytest_cache .ruff_cache .hypothesis .schemathesis

$(STAMP): $(SOURCES) $(LOCK) $(AGAIN)
	$(INSTALL) $(LOCK) "$(or $(MAKECMDGOALS),demo)"
	@touch $@

$(DEMO_STAMP): $(SOURCES) $(DEMO_LOCK) $(AGAIN)
	$(INSTALL) $(DEMO_LOCK) "$(or $(MAKECMDGOALS),demo)"
	@touch $@

$(BIN)/uv:
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@$(PIP) install --require-hashes --requirement $(LOCK)

# Everything a developer runs. Needs python3 (3.11 or newer), pip and make; the rest is pinned.
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
MAKEFLAGS += --no-print-directory

PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
JOBS ?= 2
TAU_ACCEPTANCE_DATA ?= ../shared/data

# Warnings of pip are about the machine, not about this project; errors still show.
PIP := $(BIN)/python -m pip --disable-pip-version-check -qq
# The files name everything down to the last dependency, so pip has nothing to resolve: older ones
# stumble over a pinned package that another one asks for with an extra once a newer release is out.
PINNED := $(PIP) install --require-hashes --no-deps

.PHONY: help
help:  ## List these commands
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

# --- set-up: stamps make a second run instant -----------------------------------------------------

$(VENV)/.created:
	@bash tools/create-venv "$(PYTHON)" "$(VENV)"
	@touch $@

$(VENV)/.runtime: requirements/build.txt requirements/runtime.txt | $(VENV)/.created
	@echo "Installing the pinned packages into $(VENV)"
	@$(PINNED) -r requirements/build.txt -r requirements/runtime.txt
	@touch $@

$(VENV)/.dev: requirements/dev.txt | $(VENV)/.runtime
	@echo "Installing the pinned development tools into $(VENV)"
	@$(PINNED) -r requirements/dev.txt
	@touch $@

# The backend is in the pins, so nothing is fetched here; entry points are read from pyproject.toml.
$(VENV)/.editable: pyproject.toml src/tau/__init__.py $(VENV)/.runtime
	@$(PIP) install --no-deps --no-build-isolation --editable .
	@echo "Tau is ready: $(BIN)/tau"
	@touch $@

.PHONY: setup test-setup
setup: $(VENV)/.editable  ## Create .venv with the pinned runtime packages and tau itself
	@:
test-setup: $(VENV)/.editable $(VENV)/.dev  ## The same with the development tools
	@:

# --- use -----------------------------------------------------------------------------------------

.PHONY: demo
demo: setup  ## Watch a whole optimization, offline and without any key
	@$(BIN)/tau demo

# --- tests and checks ----------------------------------------------------------------------------

.PHONY: test check check-format check-lint check-types check-layers
.PHONY: format acceptance fuzz coverage bench
test: test-setup  ## Run the tests
	@$(BIN)/python -m pytest -q -n $(JOBS) $(ARGS)

# `make -k check` goes on after the first kind of failure.
check: check-format check-lint check-types check-layers  ## Format, lint, types and layers

check-format: test-setup
	@$(BIN)/ruff format --check --quiet . || { echo "put right by: make format"; exit 1; }

check-lint: test-setup
	@$(BIN)/ruff check --quiet .

check-types: test-setup
	@$(BIN)/mypy

check-layers: test-setup
	@found=$$($(BIN)/lint-imports --no-logo 2>&1) || { echo "$$found"; exit 1; }

format: test-setup  ## Format the code and apply safe fixes
	@$(BIN)/ruff check --fix-only --quiet .
	@$(BIN)/ruff format --quiet .

acceptance: test-setup  ## Run the slow tests and those on real data (TAU_ACCEPTANCE_DATA)
	@TAU_ACCEPTANCE_DATA="$(abspath $(TAU_ACCEPTANCE_DATA))" \
		$(BIN)/python -m pytest -q -m acceptance $(ARGS)

fuzz: test-setup  ## Look for new counterexamples: property tests with 2,000 random examples each
	@HYPOTHESIS_PROFILE=thorough $(BIN)/python -m pytest -q -n $(JOBS) --timeout 3600 \
		tests/properties tests/unit $(ARGS)

coverage: test-setup  ## Run the tests and show which lines they leave out
	@$(BIN)/python -m pytest -q -n $(JOBS) --cov --cov-report=term-missing:skip-covered $(ARGS)

bench: test-setup  ## Run the benchmarks; never part of the tests
	@for file in benchmarks/bench_*.py; do \
		[ -e "$$file" ] || { echo "no benchmarks yet"; break; }; \
		echo "== $$file"; $(BIN)/python "$$file" || exit 1; \
	done

# --- upkeep --------------------------------------------------------------------------------------

.PHONY: lock licences audit clean
UV := $(VENV)/lock/bin/uv
UV_COMPILE = $(UV) pip compile --quiet --no-config --universal --python-version 3.11 \
	--generate-hashes --custom-compile-command "make lock"
PROJECT = pyproject.toml --extra gateway --extra prices --extra schema

# Each file starts from the one before it, so that a package has the same version in all of them.
lock: $(VENV)/.created  ## Choose new versions and write requirements/*.txt
	@[ -x $(UV) ] || $(PIP) install --target $(VENV)/lock uv
	@$(UV_COMPILE) $(PROJECT) --upgrade --group build --group dev --output-file requirements/dev.txt
	@cp requirements/dev.txt requirements/runtime.txt
	@$(UV_COMPILE) $(PROJECT) --output-file requirements/runtime.txt
	@cp requirements/dev.txt requirements/build.txt
	@$(UV_COMPILE) --group build --output-file requirements/build.txt

licences: setup  ## List the runtime dependencies with their licences in docs/reference
	@$(BIN)/python tools/licences.py

# Apart from the pinned packages: it is newer than they are, and nothing depends on it.
AUDIT := $(VENV)/audit/bin/pip-audit
audit: setup  ## Look for known vulnerabilities of the pinned packages
	@[ -x $(AUDIT) ] || $(PIP) install --target $(VENV)/audit pip-audit || true
	@PYTHONPATH=$(VENV)/audit $(BIN)/python tools/audit.py $(AUDIT) \
		requirements/runtime.txt requirements/build.txt requirements/dev.txt

clean:  ## Remove .venv, caches and build results
	@rm -rf $(VENV) .mypy_cache .pytest_cache .ruff_cache .import_linter_cache .hypothesis \
		.coverage .coverage.* htmlcov build dist
	@find src tests -name __pycache__ -type d -prune -exec rm -rf {} +

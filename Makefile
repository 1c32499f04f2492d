# Three commands matter: `make demo`, `make test`, `make lint`. Another interpreter: `make test PYTHON=python3.12`.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
COVERAGE := $(BIN)/python -m coverage
MINIMUM_COVERAGE := 90
# One process of tests per core, each with one thread. Each begins with a share of the tests in their order, so that fixtures of a
# module are mostly made once; who is done takes over tests of others.
PYTEST := -m pytest --numprocesses=auto --maxprocesses=8 --dist=worksteal
ONE_THREAD := OMP_NUM_THREADS=1 NUMBA_NUM_THREADS=1

.DEFAULT_GOAL := help
.PHONY: help install demo demo-genotypes test test-all test-slow lint clean

help: ## Show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-14s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

install: $(STAMP) ## Create .venv with the pinned dependencies (the others do this by themselves)

$(STAMP): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(0 if sys.version_info >= (3, 11) else "genoken needs Python 3.11 or newer, this is " + sys.version.split()[0])'
	@echo "Installing the pinned dependencies into $(VENV) (a few minutes the first time) ..."
	@$(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install -qq --disable-pip-version-check -c constraints.txt -e '.[dev]'
	@touch $@

demo: $(STAMP) ## Train on real blood cells, compare with simple baselines, write runs/demo/report.html
	@$(BIN)/genoken demo

demo-genotypes: $(STAMP) ## Simulate people with a trait of known causes, train, compare who finds them; writes runs/demo-genotypes
	@$(BIN)/genoken demo --genotypes

test: $(STAMP) ## Run the tests, on all cores
	@$(ONE_THREAD) $(BIN)/python $(PYTEST)

test-all: $(STAMP) ## Run every test, those that start processes or browsers too
	@$(ONE_THREAD) $(BIN)/python $(PYTEST) -m "slow or not slow"

test-slow: $(STAMP) ## The same, slower, with line coverage
	@rm -f .coverage .coverage.*
	@$(ONE_THREAD) $(COVERAGE) run $(PYTEST) -m "slow or not slow"
	@echo "Numba kernels as plain Python, for coverage:"
	@$(ONE_THREAD) NUMBA_DISABLE_JIT=1 $(COVERAGE) run $(PYTEST) -m "kernels and not slow" tests/unit
	@$(COVERAGE) combine --quiet
	@$(COVERAGE) report --skip-covered --fail-under=$(MINIMUM_COVERAGE)

lint: $(STAMP) ## Check style, format, types and import direction
	@$(BIN)/ruff check
	@$(BIN)/ruff format --check
	@$(BIN)/mypy
	@$(BIN)/lint-imports --no-cache --no-logo

clean: ## Remove .venv and everything that tools left behind; runs/ stays
	@rm -rf $(VENV) build dist .pytest_cache .ruff_cache .mypy_cache .hypothesis .coverage .coverage.* htmlcov src/*.egg-info
	@find src tests benchmarks examples -name __pycache__ -type d -prune -exec rm -rf {} +

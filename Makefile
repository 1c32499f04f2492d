# Three commands matter: `make demo`, `make test`, `make lint`. Another interpreter: `make test PYTHON=python3.12`.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
COVERAGE := $(BIN)/python -m coverage
MINIMUM_COVERAGE := 90

.DEFAULT_GOAL := help
.PHONY: help install demo test test-slow kernels-in-python slow forget-coverage lint clean

help: ## Show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-10s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

install: $(STAMP) ## Create .venv with the pinned dependencies (the others do this by themselves)

$(STAMP): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(0 if sys.version_info >= (3, 11) else "genoken needs Python 3.11 or newer, this is " + sys.version.split()[0])'
	@echo "Installing the pinned dependencies into $(VENV) (a few minutes the first time) ..."
	@$(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install -qq --disable-pip-version-check -c constraints.txt -e '.[dev]'
	@touch $@

demo: $(STAMP) ## Train on real blood cells, compare with simple baselines, write runs/demo/report.html
	@$(BIN)/genoken demo

test: $(STAMP) forget-coverage ## Run the tests, in one process
	@$(COVERAGE) run -m pytest

test-slow: test kernels-in-python slow ## Run every test, those that start processes or browsers too, and print line coverage
	@$(COVERAGE) combine --quiet
	@$(COVERAGE) report --skip-covered --fail-under=$(MINIMUM_COVERAGE)

kernels-in-python: $(STAMP) forget-coverage
	@echo "Numba kernels as plain Python, for coverage:"
	@NUMBA_DISABLE_JIT=1 $(COVERAGE) run -m pytest -m "kernels and not slow" tests/unit

slow: $(STAMP) forget-coverage
	@echo "Tests that start processes or browsers:"
	@$(COVERAGE) run -m pytest -m slow

forget-coverage:
	@rm -f .coverage .coverage.*

lint: $(STAMP) ## Check style, format, types and import direction
	@$(BIN)/ruff check
	@$(BIN)/ruff format --check
	@$(BIN)/mypy
	@$(BIN)/lint-imports --no-cache --no-logo

clean: ## Remove .venv and everything that tools left behind; runs/ stays
	@rm -rf $(VENV) build dist .pytest_cache .ruff_cache .mypy_cache .hypothesis .coverage .coverage.* htmlcov src/*.egg-info
	@find src tests benchmarks examples -name __pycache__ -type d -prune -exec rm -rf {} +

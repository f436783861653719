# `make` alone tells what there is. .venv is made on first use by scripts/setup.sh and kept while pyproject.toml stays.

BIN := .venv/bin
OUT ?= tour-out
# torch's threads must not spin at barriers, or two busy cores come to a halt; no test needs a screen.
TESTING := OMP_WAIT_POLICY=PASSIVE QT_QPA_PLATFORM=offscreen
PYTEST := $(TESTING) $(BIN)/python -m pytest --numprocesses 2 --dist worksteal -rs

.DEFAULT_GOAL := help
.PHONY: help setup setup-test demo tour lint format test test-all bench docs clean

help: ## show this list
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  make \1\t\2/p' $(MAKEFILE_LIST) | expand -t 20

setup: ## install the program into .venv
	@scripts/setup.sh run

setup-test:
	@scripts/setup.sh test

demo: setup ## open the sample project; without a screen, play the tour and keep its pictures
	@if [ -n "$$DISPLAY$$WAYLAND_DISPLAY" ]; then \
		exec $(BIN)/usfm-studio demo; \
	else \
		echo "There is no screen here: the tour is played without one."; \
		$(MAKE) --no-print-directory tour; \
	fi

tour: setup ## play the tour without a screen; pictures go to OUT=tour-out
	@QT_QPA_PLATFORM=offscreen $(BIN)/usfm-studio demo --tour "$(OUT)"
	@echo "The pictures are in $(abspath $(OUT))."

lint: setup-test ## style, types, import contracts, dependencies
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports --cache-dir .cache/import-linter
	$(BIN)/deptry usfm_studio

format: setup-test ## put the sources into the house's format
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

test: lint ## lint and all tests but the slow ones (what continuous integration runs)
	$(PYTEST)

test-all: lint ## lint and all tests
	HYPOTHESIS_PROFILE=thorough $(PYTEST) -m "slow or not slow"

bench: setup-test ## every benchmark: a claim, a baseline and their ratio
	@for file in benchmarks/*.py; do echo "== $$file"; $(TESTING) $(BIN)/python "$$file" || exit 1; done

docs: setup-test ## pages that are made from code
	$(BIN)/python scripts/write_shortcuts.py

clean: ## remove caches and the tour's pictures; .venv stays
	rm -rf .cache .hypothesis .import_linter_cache .ruff_cache .mypy_cache build dist tour-out
	find . -name __pycache__ -not -path './.venv/*' -prune -exec rm -rf {} +

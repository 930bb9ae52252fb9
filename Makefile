PYTHON ?= python3
BIN := .venv/bin
# mypy's Django plugin imports the settings, which refuse to load without these; nothing connects.
CHECK_ENV := DATABASE_URL=postgresql://nobody@localhost/none REDIS_URL=redis://localhost SECRET_KEY=check

.PHONY: help setup run demo test soak lint bench clean
.DEFAULT_GOAL := help

help:  ## Show the targets
	@sed -n 's/^\([a-z]*\):.*## /\1|/p' $(MAKEFILE_LIST) | awk -F'|' '{ printf "make %-7s %s\n", $$1, $$2 }'

setup: .venv/installed  ## Install what Recsmith needs into .venv

run: setup  ## Start Recsmith; Ctrl-C stops it, the data stays in .recsmith
	@exec $(BIN)/python manage.py up

demo: setup  ## Search MovieLens-100K, print the leaderboard, keep serving (EXIT=1: stop there)
	@exec $(BIN)/python manage.py demo $(if $(EXIT),--exit)

test: .venv/installed-dev .venv/chromium lint  ## Check style, types and layers, then run every test but the soak
	$(BIN)/python -m pytest -n 2 --dist loadfile -m "not soak"

lint: .venv/installed-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(CHECK_ENV) $(BIN)/mypy
	$(BIN)/lint-imports

soak: .venv/installed-dev  ## Disturb whole searches in every way; takes ten minutes
	$(BIN)/python -m pytest -m soak

bench: setup  ## Run the quick benchmarks; JSON under benchmarks/results
	@status=0; mkdir -p benchmarks/results; for file in $$(grep -l __main__ $$(grep -l "^from benchmarks.reporting" benchmarks/*.py)); do name=$$(basename $$file .py); \
	  echo "== $$name"; $(BIN)/python -m benchmarks.$$name --quick | tee benchmarks/results/$$name.txt; \
	  tail -n 1 benchmarks/results/$$name.txt > benchmarks/results/$$name.json; \
	  $(BIN)/python -m json.tool benchmarks/results/$$name.json > /dev/null || status=1; done; exit $$status

clean:  ## Remove what setup, tests and benchmarks made; the data in .recsmith stays
	rm -rf .venv .cache .mypy_cache .pytest_cache .ruff_cache .hypothesis .import_linter_cache staticfiles benchmarks/results

.venv/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(0 if sys.version_info >= (3, 11) else "Recsmith needs Python 3.11 or newer: make PYTHON=python3.11 ...")'
	$(PYTHON) -m venv .venv

.venv/installed: requirements.txt | .venv/bin/python
	$(BIN)/pip install --quiet --disable-pip-version-check -r requirements.txt
	@touch $@

.venv/installed-dev: requirements-dev.txt requirements-onnx.txt requirements.txt | .venv/bin/python
	$(BIN)/pip install --quiet --disable-pip-version-check -r requirements-dev.txt
	@touch $@ .venv/installed

# The browser tests drive the system's Chromium; as root on Debian it is installed when missing.
.venv/chromium: | .venv/bin/python
	@command -v chromium > /dev/null || command -v google-chrome > /dev/null || { \
	  test "$$(id -u)" = 0 && command -v apt-get > /dev/null || { echo "Install Chromium: the browser tests need it." >&2; exit 1; }; \
	  apt-get update -qq && apt-get install -y -qq --no-install-recommends chromium; }
	@touch $@

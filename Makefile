# `make search` finds a loss function on the built-in digits; `make test` checks everything. Each sets up what it needs.
PYTHON ?= python3
BIN := .venv/bin
# Two processes more than there are processors, at most 4: many tests wait for processes that they start.
PROCESSES := $(shell n=$$(getconf _NPROCESSORS_ONLN); echo $$((n < 2 ? n + 2 : 4)))
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt

.PHONY: search test gpu-check audit clean

search: .venv/ready
	$(BIN)/python -m glojax.search

test: .venv/ready-for-tests
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict --site-dir .mkdocs_site
	PYTHONDONTWRITEBYTECODE= $(BIN)/pytest --numprocesses=$(PROCESSES) --dist=loadfile --no-loadscope-reorder

# Anywhere with an NVIDIA GPU: where jax has its CUDA plugin already, `python -m benchmarks.gpu_check` needs no network.
gpu-check: .venv/ready
	$(PIP) -e '.[cuda]'
	$(BIN)/python -m benchmarks.gpu_check

audit: .venv/ready
	$(PIP) -e '.[audit]'
	$(BIN)/python .ci/audit.py

.venv/bin/python:
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "glojax needs Python 3.11 or newer: make PYTHON=python3.11")'
	$(PYTHON) -m venv .venv

.venv/ready: pyproject.toml constraints.txt | .venv/bin/python
	$(PIP) -e .
	touch $@

.venv/ready-for-tests: pyproject.toml constraints.txt | .venv/bin/python
	$(PIP) -e '.[test]'
	touch .venv/ready $@

clean:
	rm -rf .venv .mypy_cache .pytest_cache .ruff_cache .hypothesis .mkdocs_site

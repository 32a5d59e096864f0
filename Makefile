# Everything happens in .venv; delete it to start over.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
# What to hand to pip besides, e.g. an index that serves CPU builds of torch.
PIP_ARGS ?=
EXTRAS := dev,notebooks
STAMP := $(VENV)/.installed

.PHONY: demo test paper paper-full smollm lint clean

demo: $(STAMP)  ## train five tiny runs and draw the figures
	$(BIN)/srtbench sweep sweeps/smoke.yaml
	$(BIN)/srtbench report runs/smoke
	@echo "open $(CURDIR)/runs/smoke/report/report.html"

test: $(STAMP)  ## lint, types and all tests
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/python -m pytest

STUDY := $(BIN)/python -m analysis.claims --out analysis/RESULTS.md

paper: $(STAMP)  ## the core claims, five seeds each: under an hour on two cores
	$(BIN)/srtbench sweep sweeps/paper_cpu.yaml
	$(STUDY) runs/paper_cpu

paper-full: $(STAMP)  ## all claims: under two and a half hours on two cores
	$(BIN)/srtbench sweep sweeps/paper_cpu.yaml
	$(BIN)/srtbench sweep sweeps/paper_cpu_full.yaml
	$(STUDY) runs/paper_cpu runs/paper_cpu_full

lint: $(STAMP)
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .
	$(BIN)/mypy

$(STAMP): pyproject.toml constraints/cpu.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "srtbench needs Python 3.11 or newer; name one with: make PYTHON=python3.11")'
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install $(PIP_ARGS) --quiet --disable-pip-version-check -c constraints/cpu.txt torch
	$(BIN)/python -m pip install $(PIP_ARGS) --quiet --disable-pip-version-check -c constraints/cpu.txt -e '.[$(EXTRAS)]'
	touch $(STAMP)

clean:
	rm -rf $(VENV) build dist *.egg-info

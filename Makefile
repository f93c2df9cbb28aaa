# Two commands on a fresh machine that has Python 3.11 or newer, pip, venv and make:
#
#   make run     sets up, then a simulated car is recorded, projected and served; the page's address is printed
#   make test    sets up, then lint, types, layers and every test
#
# `make help` lists the rest.  Set-up happens once, in .venv: the stamps in it are newer than what they came from.

PYTHON ?= python3
VENV   ?= .venv
BIN    := $(VENV)/bin
PORT   ?= 8080
BASE   ?= HEAD
ARGS   ?=
# the tests' processes; 0 runs them in one
JOBS   ?= 2

# uv is quicker where there is one; nothing needs it
UV := $(shell command -v uv 2>/dev/null)
ifdef UV
INSTALL := $(UV) pip install --quiet --compile-bytecode --python $(BIN)/python
else
INSTALL := $(BIN)/python -m pip install --quiet --disable-pip-version-check
endif

.DEFAULT_GOAL := help
.PHONY: help setup setup-dev setup-s3 page run test lint format bench torture soak soak-page diff fixtures screenshots docs lock clean
.DELETE_ON_ERROR:

help: ## what there is to make
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / {printf "  make %-11s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: $(VENV)/.run ## everything that pitwall needs, in .venv

setup-dev: $(VENV)/.dev setup-s3 $(VENV)/.npm ## and what its tests, its lint and its benchmarks need

setup-s3: $(VENV)/.s3 ## an S3 server, for the tests of the archive

page: $(VENV)/.run ## the page, built anew from pitwall/web
	@$(BIN)/python hatch_build.py

run: $(VENV)/.run ## a simulated car, recorded and served, until Ctrl-C (ARGS=…)
	@exec $(BIN)/pitwall run --simulate --port $(PORT) $(ARGS)

test: lint $(VENV)/.s3 $(VENV)/.npm ## lint, types, layers and every test (ARGS=… for pytest)
	@$(BIN)/python -m pytest -n $(JOBS) --dist loadfile $(ARGS)

lint: $(VENV)/.dev ## style, types (the page's too), and which room may import which
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports
	@if [ -x pitwall/web/node_modules/.bin/tsc ]; then cd pitwall/web && npm run --silent check; else echo "the page's types are not looked at: no Node" >&2; fi

format: $(VENV)/.dev ## put the code in form
	@$(BIN)/ruff check --fix .
	@$(BIN)/ruff format .

bench: $(VENV)/.dev ## how fast it is, beside its peers (ARGS="--json decode")
	@$(BIN)/python -m tests.bench $(ARGS)

torture: $(VENV)/.dev ## kill it, cut it, fill it up (ARGS="kills --seed 7")
	@$(BIN)/python -m tests.torture $(ARGS)

soak: $(VENV)/.dev ## drive a car for an hour (ARGS="--minutes 240 --buses 4")
	@$(BIN)/python -m tests.soak $(ARGS)

soak-page: $(VENV)/.dev ## leave four screens open for an hour beside it (ARGS="--minutes 10")
	@$(BIN)/python -m tests.soak.page $(ARGS)

diff: $(VENV)/.dev ## which rows of the fixtures' projections differ since BASE
	@$(BIN)/python -m tests.goldens.diff $(BASE)

fixtures: $(VENV)/.dev ## record the fixtures anew, through the recorder
	@$(BIN)/python -m tests.goldens.record

screenshots: $(VENV)/.dev ## every screen of the page in both themes, into docs/screenshots
	@$(BIN)/python -m tests.page.screenshots

docs: $(VENV)/.dev ## write docs/command-line.md and cars/car.schema.json
	@$(BIN)/python -m tests.contracts.help_pages > docs/command-line.md
	@$(BIN)/pitwall car schema > cars/car.schema.json

lock: ## choose the newest versions that fit together (needs uv)
	uv pip compile --quiet --upgrade $(LOCK) pyproject.toml -o requirements.lock
	uv pip compile --quiet --upgrade $(LOCK) --extra mf4 --extra mcap -c requirements.lock pyproject.toml -o requirements-mf4.lock
	uv pip compile --quiet --upgrade $(LOCK) --all-extras -c requirements-mf4.lock pyproject.toml -o requirements-dev.lock
	printf 'moto[s3]\nflask\nflask-cors\n' | uv pip compile --quiet --upgrade $(LOCK) - -o requirements-s3.lock

LOCK := --universal --python-version 3.11 --no-header --no-annotate --no-emit-index-url --no-emit-find-links

clean: ## remove what was set up and cached; logs and projections stay
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache dist

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "pitwall needs Python 3.11 or newer: make PYTHON=python3.11 …")'
	@echo "setting up $(VENV), once" >&2
	@$(PYTHON) -m venv $(VENV)

# What the page is built from: an edit of it builds it anew, in the package's own build (hatch_build.py).
PAGE := $(shell find pitwall/web -type f -not -path '*/node_modules/*' -not -path '*/built/*' 2>/dev/null)

# MF4 captures need asammdf, MCAP exports zstandard, which have no wheels everywhere (a Pi would have to compile): without
# them all else works.
$(VENV)/.run: requirements.lock requirements-mf4.lock pyproject.toml hatch_build.py $(PAGE) | $(BIN)/python
	@$(INSTALL) -r requirements.lock
	@$(INSTALL) --only-binary :all: -r requirements-mf4.lock || echo "no MF4 captures and no MCAP exports here: there are no wheels" >&2
	@$(INSTALL) --no-deps -e . || { echo "the page can't be built here (see above): all but it is set up" >&2; \
		PITWALL_NO_PAGE=1 $(INSTALL) --no-deps -e .; }
	@touch $@

# In an environment of its own: what it needs does not go with asammdf.  Without it the tests of S3 skip, and say so.
$(VENV)/.s3: requirements-s3.lock | $(BIN)/python
	@$(PYTHON) -m venv $(VENV)/s3
	@$(VENV)/s3/bin/python -m pip install --quiet --disable-pip-version-check -r requirements-s3.lock \
		|| { rm -rf $(VENV)/s3; echo "no S3 server here: the archive is not tested against one" >&2; }
	@touch $@

# Foxglove's own client, for the tests of /foxglove.  Without npm they skip, and say so.
$(VENV)/.npm: tests/foxglove_client/package.json tests/foxglove_client/package-lock.json | $(BIN)/python
	@mkdir -p $(VENV)/npm && cp tests/foxglove_client/package*.json $(VENV)/npm/
	@cd $(VENV)/npm && npm ci --silent --no-audit --no-fund --ignore-scripts \
		|| { rm -rf node_modules; echo "no npm here: Foxglove's own client is not asked" >&2; }
	@touch $@

$(VENV)/.dev: requirements-dev.lock $(VENV)/.run
	@$(INSTALL) -r requirements-dev.lock
	@touch $@

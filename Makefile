# The verbs of this project. Each verb installs what it needs. `make help` lists them.

VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet
# Wheels only: building a source archive would download build tools that have no hash here.
HASHED := $(PIP) install --require-hashes --only-binary :all:
ARGS ?=

# The first Python that is new enough. `make setup PYTHON=/path/to/python3` chooses another one.
PYTHON ?= $(shell for p in python3 python3.14 python3.13 python3.12 python3.11; do \
	"$$p" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo "$$p" && break; done)

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help setup demo test check storm bench audit requirements gone

help: ## list these verbs
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-13s %s\n", $$1, $$2 }' Makefile

setup: $(VENV)/.dev $(VENV)/.project ## create .venv with everything that development needs

demo: $(VENV)/.project ## try Taskwire here, without accounts; the first run downloads Python packages
	@echo "Starting the demo; its address comes in a few seconds ..."
	@$(BIN)/taskwire demo $(ARGS)

# More processes than cores, because tests spend more time waiting than computing.
TEST_PROCESSES ?= $(shell echo $$((3 * $$(getconf _NPROCESSORS_ONLN))))

# Each process of tests reads compiled modules, which one of them has written.
test: export PYTHONDONTWRITEBYTECODE =
test: setup ## run the tests, three processes for each core; choose with ARGS="-k words"
	@echo "Looking for tests, for half a minute. All tests take about sixteen minutes; ARGS=\"-k words\" chooses ..."
	$(BIN)/python -m pytest --numprocesses $(TEST_PROCESSES) --dist worksteal $(ARGS)

check: setup ## format, lint, types, imports, budgets, globals in Lua
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo
	$(BIN)/python -m tests.mass
	$(BIN)/python -m pytest --quiet tests/structure/test_sizes.py tests/structure/test_lua.py

storm: setup ## run everything under faults, for long
	$(BIN)/python -m tests.fuzz
	$(BIN)/python -m tests.storm $(ARGS)

bench: setup ## measure speed and memory; asserts nothing
	$(BIN)/python -m tests.bench $(ARGS)

audit: setup ## list what is shipped in build/sbom.json, and look for known weaknesses
	@$(BIN)/python -m tests.supply_chain

PACKAGES = $(shell grep -c '^[a-z0-9].*==' $1) packages

# A stamp file says that its requirements file is installed in this environment. Only a newer file is installed again.
$(VENV)/.runtime: requirements.txt requirements-build.txt $(VENV)/pyvenv.cfg
	@echo "Installing what Taskwire needs into $(VENV), $(call PACKAGES,requirements.txt); about a minute ..."
	@$(HASHED) -r requirements.txt -r requirements-build.txt
	@touch $@

$(VENV)/.dev: requirements-dev.txt $(VENV)/.runtime
	@echo "Installing what its development needs, $(call PACKAGES,requirements-dev.txt); about a minute ..."
	@$(HASHED) -r requirements-dev.txt
	@touch $@

$(VENV)/.project: pyproject.toml $(VENV)/.runtime
	@echo "Installing Taskwire itself into $(VENV) ..."
	@$(PIP) install --no-index --no-deps --no-build-isolation --editable .
	@touch $@

# The environment is created again if its Python is gone, for example after an upgrade of the system.
$(VENV)/pyvenv.cfg: $(if $(shell test -x $(BIN)/python && echo there),,gone)
	@"$(PYTHON)" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || { echo "Taskwire needs Python 3.11" \
		"or newer, and $(if $(PYTHON),$(PYTHON) is not that,no python3 here is)." \
		"Install one, or name it: make setup PYTHON=/path/to/python3" >&2; exit 1; }
	@"$(PYTHON)" -c 'import ensurepip, venv' 2>/dev/null || { echo "This Python cannot make a virtual environment yet." \
		"On Debian or Ubuntu: apt install python3-venv" >&2; exit 1; }
	@echo "Making a Python environment in $(VENV), with $(PYTHON) ..."
	@"$(PYTHON)" -m venv --clear $(VENV)

# Lock files. uv gets its own environment, unless UV names a uv. The settings of this machine are not used.
UV ?= build/lock/bin/uv
COMPILE = env -u UV_FIND_LINKS -u UV_INDEX -u UV_EXTRA_INDEX_URL -u UV_CONSTRAINT -u UV_OVERRIDE UV_NO_CONFIG=1 \
	$(UV) pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-annotate --no-header $(ARGS)

requirements: | $(UV) ## write the hashed requirements again; ARGS=--upgrade takes newer versions
	$(COMPILE) --output-file requirements.txt pyproject.toml
	$(COMPILE) --output-file requirements-build.txt --constraint requirements.txt --group build
	$(COMPILE) --output-file requirements-dev.txt --constraint requirements.txt --constraint requirements-build.txt \
		--group build --group dev pyproject.toml
	$(COMPILE) --output-file requirements-audit.txt --group audit

build/lock/bin/uv:
	@"$(PYTHON)" -m venv build/lock
	@build/lock/bin/python -m pip --disable-pip-version-check --quiet install uv

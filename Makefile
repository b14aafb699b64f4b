# Python 3.11+ and make are all that it needs: every target makes .venv first, from hashed locks, and only when something changed.

PYTHON ?= python3
# Tests wait for servers more than they compute; files are shared out, so that what a file starts is started once.
WORKERS ?= 3
SECONDS ?= 60
VENV   := .venv
PIP    := $(VENV)/bin/python -m pip --quiet --disable-pip-version-check --no-input
PARTS  := contracts merkle trust runtime rules verifier embedded scoring profiles gateway notary witness audit trainer cli

# protoc's plugins, uv_build and kubectl are looked up on PATH; a PYTHONPATH of yours would shadow the environment, and without
# bytecode each of many processes would compile all that it imports.
export PATH := $(CURDIR)/$(VENV)/bin:$(PATH)
unexport PYTHONPATH PYTHONHOME PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL := help
.NOTPARALLEL:
.PHONY: help demo kafka test e2e check lint type proto contract bench chaos fuzz lock k8s clean

help:  ## List the targets.
	@awk -F ':.*## ' '/^[a-z0-9]+:.*## / { printf "  make %-8s %s\n", $$1, $$2 }' Makefile

demo: $(VENV)/.locked $(VENV)/.parts  ## Run the whole chain on this machine; ARGS="--serve" leaves the audit service up.
	@$(VENV)/bin/tallystick demo $(ARGS)

kafka: $(VENV)/.locked $(VENV)/.parts  ## Run Apache Kafka by hand until Ctrl-C (Java 17, Maven); ARGS="--brokers 3" runs three.
	@$(VENV)/bin/python -m tallystick.embedded.kafka $(ARGS)

# Fetched beforehand: no test's time limit is made for a download.
test: $(VENV)/.locked-dev $(VENV)/.parts  ## Run every test (twenty minutes on two cores); PYTEST_ARGS chooses some.
	@$(VENV)/bin/python -m tallystick.embedded.kafka --fetch
	@$(VENV)/bin/python -m pytest -n $(WORKERS) --dist loadfile --no-loadscope-reorder $(PYTEST_ARGS)

e2e: $(VENV)/.locked-dev $(VENV)/.parts  ## Test the console in headless Chromium (Debian: apt install chromium); pictures in build/screenshots.
	@$(VENV)/bin/python -m pytest -n 0 -m browser tests/e2e/console tests/e2e/test_demo.py tests/integration/audit $(PYTEST_ARGS)

check: lint type k8s  ## Everything but the tests: lint, types, generated code, manifests.
	@$(VENV)/bin/python proto/generate.py --check
	@$(VENV)/bin/python contract/build.py --check
	@echo "check: all good"

lint: $(VENV)/.locked-dev $(VENV)/.parts  ## Check format, style, import rules, protos and shell scripts.
	@$(VENV)/bin/ruff format --check --quiet .
	@$(VENV)/bin/ruff check --quiet .
	@$(VENV)/bin/lint-imports --no-cache
	@$(VENV)/bin/buf lint
	@for script in .ci/run deploy/*.sh; do bash -n "$$script" || exit 1; done

type: $(VENV)/.locked-dev $(VENV)/.parts  ## Check types strictly, sources and tests.
	@$(VENV)/bin/mypy $(PARTS:%=services/%/src) proto contract k8s tests

proto: $(VENV)/.locked-dev $(VENV)/.parts  ## Generate services/contracts from proto/.
	@$(VENV)/bin/python proto/generate.py

contract: $(VENV)/.locked-dev $(VENV)/.parts  ## Compile the contract that keeps heads on a chain.
	@$(VENV)/bin/python contract/build.py

bench: $(VENV)/.locked-dev $(VENV)/.parts  ## Measure speed; results in build/bench.json.
	@$(VENV)/bin/python tests/bench/run.py $(ARGS)

chaos: $(VENV)/.locked-dev $(VENV)/.parts  ## Kill and pause scoring, notary and brokers under load; results in build/chaos.json; ARGS="--seconds 600 --seed 7".
	@$(VENV)/bin/python -m tallystick.embedded.kafka --fetch
	@$(VENV)/bin/python -m tests.chaos.run $(ARGS)

fuzz: $(VENV)/.locked-dev $(VENV)/.parts  ## Fuzz every parser and verifier for SECONDS (60) in all, a second each at least, and start-up; ARGS="--keep cbor" chooses, and keeps what is new.
	@$(VENV)/bin/python -m tests.fuzz.run --seconds $(SECONDS) $(ARGS)

k8s: $(VENV)/.locked-dev $(VENV)/.parts  ## Build every kustomization and validate each document, offline.
	@$(VENV)/bin/python -m k8s.validate

# One resolution for every platform; no addresses and no paths, so that any index serves it. LOCK_ARGS=--upgrade for newer versions.
UV_LOCK := $(VENV)/bin/uv pip compile --quiet --universal --generate-hashes --no-header --no-annotate --no-emit-index-url \
	--python-version 3.11 $(PARTS:%=--no-emit-package tallystick-%)
LOCK_INPUTS := $(PARTS:%=services/%/pyproject.toml) build-requirements.in

lock:  ## Resolve lock.txt and lock-dev.txt anew; LOCK_ARGS=--upgrade for newer versions.
	@test -x $(VENV)/bin/uv || $(MAKE) --no-print-directory $(VENV)/.locked-dev
	@$(UV_LOCK) $(LOCK_ARGS) --group pyproject.toml:dev $(LOCK_INPUTS) -o lock-dev.txt
	@$(UV_LOCK) $(LOCK_ARGS) -c lock-dev.txt $(LOCK_INPUTS) -o lock.txt

clean:  ## Remove the environment, caches and build/.
	rm -rf $(VENV) build .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	find services tests proto k8s -name __pycache__ -type d -prune -exec rm -rf {} +

$(VENV)/.made:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Tallystick needs Python 3.11 or newer; \
	$(PYTHON) is not. Name another one: make PYTHON=python3.12 $(MAKECMDGOALS)" >&2; exit 1; }
	@echo "making $(VENV) ..."
	@$(PYTHON) -m venv $(VENV) || { echo "$(PYTHON) cannot make environments here; on Debian and Ubuntu: \
	apt install python3-venv" >&2; exit 1; }
	@touch $@

$(VENV)/.locked: lock.txt | $(VENV)/.made
	@echo "installing lock.txt (about a minute the first time) ..."
	@$(PIP) install --require-hashes -r lock.txt
	@touch $@

# lock-dev.txt holds everything of lock.txt, at the same versions.
$(VENV)/.locked-dev: lock.txt lock-dev.txt | $(VENV)/.made
	@echo "installing lock-dev.txt (about a minute the first time) ..."
	@$(PIP) install --require-hashes -r lock-dev.txt
	@touch $@ $(VENV)/.locked

$(VENV)/.parts: $(PARTS:%=services/%/pyproject.toml) | $(VENV)/.made
	@echo "installing the parts ..."
	@$(PIP) install --no-build-isolation --no-deps $(PARTS:%=-e services/%)
	@touch $@

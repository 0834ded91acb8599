# What one does with this house. `make help` lists it; nothing here needs root, Docker or a key.

SHELL := bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
MAKEFLAGS += --no-print-directory

export FLASK_APP := wsgi.py
export PIP_DISABLE_PIP_VERSION_CHECK := 1
export PORT ?= 8000

PYTHON ?= $(shell for p in python3 python3.14 python3.13 python3.12 python3.11; do \
	if $$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then echo $$p; break; fi; done)
BIN := .venv/bin
INSTANCE := $(or $(INSTANCE_PATH),instance)
WORKERS ?= 2
TESTS ?=
TRANSLATIONS := membership/translations
PO := $(wildcard $(TRANSLATIONS)/*/LC_MESSAGES/messages.po)
MO := $(PO:.po=.mo)
COMPILE := uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url

.PHONY: help preflight install dev browser demo demo-reset test test-fast check bench bench-large migration requirements messages

help: ## this list
	@echo "Pressfund. make ..."
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  %-14s %s\n", $$1, $$2 }' $(firstword $(MAKEFILE_LIST))

preflight:
	@[ -n "$(PYTHON)" ] || { echo "Python 3.11 or newer is needed and was not found (on Debian: apt install python3 python3-venv; elsewhere: python.org). If it has another name: make PYTHON=/path/to/python3 ..." >&2; exit 1; }
	@$(PYTHON) -c 'import venv, ensurepip' 2>/dev/null || { echo "$(PYTHON) has no venv module (on Debian: apt install python3-venv)." >&2; exit 1; }

$(BIN)/pip: | preflight
	$(PYTHON) -m venv .venv

.venv/.runtime: requirements.txt | $(BIN)/pip
	@echo "Installing what the app needs ..."
	@$(BIN)/pip install --quiet --require-hashes --requirement requirements.txt
	@touch $@

.venv/.development: requirements-dev.txt | .venv/.runtime
	@echo "Installing what tests and checks need ..."
	@$(BIN)/pip install --quiet --require-hashes --requirement requirements-dev.txt
	@touch $@

%/messages.mo: %/messages.po | .venv/.runtime
	@$(BIN)/pybabel --quiet compile --input-file $< --output-file $@

install: .venv/.runtime $(MO) ## .venv with the pinned requirements, message catalogues compiled

dev: install .venv/.development

demo: install ## web server, pretend Stripe and worker with sample data (PORT, default 8000); Ctrl-C stops all three
	@exec $(BIN)/flask demo

demo-reset: ## forget the demo's data: the next make demo begins anew
	@if [ "$${MODE:-}" = production ] || grep -Eqs '^ *(export +)?MODE *= *.?production' .env; then \
		echo "This is a production installation: nothing was touched." >&2; exit 1; fi; \
	if [ ! -e "$(INSTANCE)/demo.env" ]; then echo "There is no demo in $(INSTANCE)."; exit 0; fi; \
	rm -rf "$(INSTANCE)"/demo.* "$(INSTANCE)"/sandbox.sqlite* "$(INSTANCE)/mail"; \
	echo "The demo's data is gone."

browser:
	@chromium() { [ -n "$${CHROMIUM:-}" ] || [ -x /usr/bin/chromium ]; }; \
	fonts() { ! command -v dpkg-query >/dev/null || dpkg-query --show fonts-noto-core >/dev/null 2>&1; }; \
	if ! { chromium && fonts; } && [ "$$(id -u)" = 0 ] && [ -e /etc/debian_version ]; then \
		echo "Installing Chromium and the fonts of its pages ..."; \
		export DEBIAN_FRONTEND=noninteractive; \
		apt-get update --quiet=2 </dev/null; \
		apt-get install --yes --quiet=2 --no-install-recommends chromium fonts-noto-core </dev/null >/dev/null; \
	fi; \
	if ! chromium && [ "$${CI:-}" = true ]; then $(BIN)/playwright install chromium; fi

test: dev browser ## every test: SQLite, PostgreSQL, journeys in Chromium (TESTS=path for some)
	@$(BIN)/pytest --numprocesses $(WORKERS) --db both $(TESTS)

test-fast: dev ## SQLite only, no browser
	@$(BIN)/pytest --numprocesses $(WORKERS) --db sqlite -m "not browser" $(TESTS)

check: dev ## ruff, djlint, mypy, lint-imports, models equal migrations, catalogues complete
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/djlint templates --lint --quiet
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo
	$(BIN)/pytest --quiet --db both tests/house/test_migrations.py tests/house/test_messages.py

bench: dev ## ratios against a floor measured in the same run: a table, bench/results.json
	@$(BIN)/python -m bench

bench-large: dev ## the desk at a million people on PostgreSQL: minutes, bench/large.json
	@$(BIN)/python -m bench --large

migration: dev ## a new numbered migration from the models: make migration m="outlets gain a link"
	@[ -n "$(m)" ] || { echo 'Say what changes: make migration m="outlets gain a link"' >&2; exit 1; }
	@$(BIN)/python -m tests.databases "$(m)"
	@$(BIN)/ruff check --quiet --fix migrations && $(BIN)/ruff format --quiet migrations

requirements: dev ## pin requirements*.in anew, with hashes
	$(BIN)/$(COMPILE) --custom-compile-command "make requirements" requirements.in --output-file requirements.txt --upgrade
	$(BIN)/$(COMPILE) --custom-compile-command "make requirements" requirements-dev.in --output-file requirements-dev.txt --upgrade

messages: dev ## gather the sentences from code and templates into the catalogues
	@$(BIN)/python -m tests.house.catalogues

# One command each. Everything is set up in .venv; nothing else on the machine is touched, but that `test` and
# `screenshots` install Debian's chromium, and `test` its postgresql and pgbouncer, where these are missing and may be.
.DEFAULT_GOAL := help
.PHONY: help install demo test bench size load chaos screenshots format lock clean

PYTHON ?= python3
PORT ?= 8000
# Where `make test` looks for PostgreSQL, to run the tests a second time on it.
TEST_DATABASE_URL ?= postgres://postgres@127.0.0.1:5432/postgres

BIN := .venv/bin
export PIP_DISABLE_PIP_VERSION_CHECK := 1

help: ## List the targets
	@awk -F':.*## ' '/^[a-z]+:.*## / { printf "  make %-11s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

install: .venv/installed ## Set up .venv with the application's pinned packages

demo: install .env ## Start the system with sample data at http://127.0.0.1:8000/ (PORT=… for another)
	@$(BIN)/python manage.py demo --port $(PORT)

test: .venv/installed-dev ## Format, lint, types, import rules, migrations, and all tests on SQLite and PostgreSQL
	@TEST_DATABASE_URL="$(TEST_DATABASE_URL)" ./tests/run

bench: .venv/installed-dev ## Compare with a stock viewset and a hand-written view, and write docs/benchmarks.md
	@env -u DATABASE_URL TEST_DATABASE_URL="$(TEST_DATABASE_URL)" $(BIN)/python -m tests.benchmarks.compare

size: .venv/installed-dev ## Measure the cost at 10 thousand, 1 million and 10 million assignments (needs 15 GB)
	@env -u DATABASE_URL TEST_DATABASE_URL="$(TEST_DATABASE_URL)" $(BIN)/python -m tests.benchmarks.size

load: .venv/installed-dev ## Load a real server for a minute on SQLite, and another on PostgreSQL
	@env -u DATABASE_URL $(BIN)/python -m tests.benchmarks.load sqlite
	@env -u DATABASE_URL TEST_DATABASE_URL="$(TEST_DATABASE_URL)" $(BIN)/python -m tests.benchmarks.load postgresql

chaos: .venv/installed-dev ## Break things on purpose: kill workers, fill the disk, restart PostgreSQL (6 minutes)
	@env -u DATABASE_URL $(BIN)/python -m tests.chaos

screenshots: .venv/installed-dev ## Take the pictures in docs/images anew, of a scratch database with sample data
	@$(BIN)/python tests/browser/chromium.py
	@env -u DATABASE_URL $(BIN)/pytest -q tests/browser/screenshots.py

format: .venv/installed-dev ## Format the code and mend what the linter can mend
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

lock: .venv ## Pin the newest allowed packages in requirements/*.txt
	$(BIN)/python -m pip install --quiet uv
	cd requirements && for name in base dev; do \
		../$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --upgrade \
			$$name.in --output-file $$name.txt || exit 1; \
	done

clean: ## Remove .venv and the caches; data in var/ and the key in .env stay
	rm -rf .venv .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis .coverage*

.venv:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "Python 3.11 or newer is needed; name it like this: make $(MAKECMDGOALS) PYTHON=python3.12"; exit 1; }
	$(PYTHON) -m venv .venv

.venv/installed: requirements/base.txt | .venv
	$(BIN)/python -m pip install --quiet --require-hashes -r requirements/base.txt
	@touch $@

.venv/installed-dev: requirements/dev.txt | .venv
	$(BIN)/python -m pip install --quiet --require-hashes -r requirements/dev.txt
	@touch $@ .venv/installed

# For trying it on this machine: a key of its own, plain HTTP, this machine's names only.
.env:
	@umask 077 && { \
		echo "SECRET_KEY=$$($(PYTHON) -c 'import secrets; print(secrets.token_urlsafe(50))')"; \
		echo "HTTPS=false"; \
		echo "ALLOWED_HOSTS=localhost,127.0.0.1,[::1]"; \
	} > $@

# All packages are installed in .venv. Only `test` and `screenshots` change anything else: they install Debian's
# chromium, and `test` also postgresql and pgbouncer, if these are missing and the user may install them.
.DEFAULT_GOAL := help
.PHONY: help install demo check test fuzz bench size load chaos screenshots format audit lock clean

PYTHON ?= python3
PORT ?= 8000
# The PostgreSQL server on which `make test` runs the tests a second time.
TEST_DATABASE_URL ?= postgres://postgres@127.0.0.1:5432/postgres

BIN := .venv/bin
export PIP_DISABLE_PIP_VERSION_CHECK := 1

# Part of the name of a finished installation: when a lock file, the Python or the directory changes, the environment
# is created again.
STATE := $(shell { pwd; $(PYTHON) -c 'import sys; print(sys.version, sys.base_prefix)'; \
	cat requirements/*.txt; } 2>/dev/null | cksum | cut -d ' ' -f 1)
# The lock files are complete, so pip resolves nothing, and new releases don't change the installation.
PIP_INSTALL := -m pip install --quiet --require-hashes --no-deps --only-binary :all:
INSTALL := $(BIN)/python $(PIP_INSTALL)

help: ## List the targets
	@awk -F':.*## ' '/^[a-z]+:.*## / { printf "  make %-11s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

install: .venv/base-$(STATE) ## Set up .venv with the application's pinned packages

demo: install .env ## Start the system with sample data at http://127.0.0.1:8000/ (PORT=… for another)
	@$(BIN)/python manage.py demo --port $(PORT)

check: .venv/dev-$(STATE) ## Check format, lint, types and import rules, and run the quickest tests (while you work)
	@./tests/run check

test: .venv/dev-$(STATE) ## Check format, lint, types, import rules, migrations, and run all tests on SQLite and PostgreSQL
	@TEST_DATABASE_URL="$(TEST_DATABASE_URL)" ./tests/run test

fuzz: .venv/dev-$(STATE) ## Run generated tests with far more input, timed tests, and chaos (before a release)
	@TEST_DATABASE_URL="$(TEST_DATABASE_URL)" ./tests/run fuzz

bench: .venv/dev-$(STATE) ## Compare with a stock viewset and a hand-written view, and measure the admin's pages
	@env -u DATABASE_URL TEST_DATABASE_URL="$(TEST_DATABASE_URL)" $(BIN)/python -m tests.benchmarks.compare
	@for database in sqlite postgresql; do \
		env -u DATABASE_URL TEST_DATABASE_URL="$(TEST_DATABASE_URL)" \
			$(BIN)/python -m tests.benchmarks.admin_pages $$database || exit 1; \
	done

size: .venv/dev-$(STATE) ## Measure the cost at 10 thousand, 1 million and 10 million assignments (needs 15 GB)
	@env -u DATABASE_URL TEST_DATABASE_URL="$(TEST_DATABASE_URL)" $(BIN)/python -m tests.benchmarks.size

load: .venv/dev-$(STATE) ## Put a real server under load and hostile sign-ins, on SQLite and PostgreSQL (8 minutes)
	@for database in sqlite postgresql; do for module in load sign_ins; do \
		env -u DATABASE_URL TEST_DATABASE_URL="$(TEST_DATABASE_URL)" \
			$(BIN)/python -m tests.benchmarks.$$module $$database || exit 1; \
	done; done

chaos: .venv/dev-$(STATE) ## Kill workers, fill the disk and restart PostgreSQL, and check that no write is lost (6 minutes)
	@env -u DATABASE_URL $(BIN)/python -m tests.chaos

screenshots: .venv/dev-$(STATE) ## Update the pictures in docs/images, with sample data in a scratch database
	@$(BIN)/python -m tests.browser.chromium
	@env -u DATABASE_URL $(BIN)/pytest -q tests/browser/screenshots.py

format: .venv/dev-$(STATE) ## Format the code and fix what the linter can fix
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

audit: .venv/audit-$(STATE) ## Check the pinned packages for known vulnerabilities (needs the network)
	.venv/audit/bin/pip-audit --strict --disable-pip --require-hashes $(patsubst %,-r %,$(wildcard requirements/*.txt))

lock: .venv/base-$(STATE) ## Pin the newest allowed packages in requirements/*.txt
	$(INSTALL) -r requirements/uv.txt
	cd requirements && for name in pip uv base dev audit; do \
		../$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-strip-extras \
			--no-build --custom-compile-command "make lock" --upgrade $$name.in --output-file $$name.txt || exit 1; \
	done

clean: ## Remove .venv and the caches; data in var/ and the key in .env stay
	rm -rf .venv .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis .coverage*

.venv/base-$(STATE):
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "Python 3.11 or newer is needed; name it like this: make $(MAKECMDGOALS) PYTHON=python3.12"; exit 1; }
	$(PYTHON) -m venv --clear .venv
	$(INSTALL) -r requirements/pip.txt
	$(INSTALL) -r requirements/base.txt
	$(BIN)/python -m pip check
	@touch $@

.venv/dev-$(STATE): .venv/base-$(STATE)
	@# Tests import a part of these packages; Python compiles that part.
	$(INSTALL) --no-compile -r requirements/dev.txt
	$(BIN)/python -m pip check
	@touch $@

# An environment of its own, so that its packages don't restrict the versions of ours.
.venv/audit-$(STATE): .venv/base-$(STATE)
	$(PYTHON) -m venv --clear .venv/audit
	.venv/audit/bin/python $(PIP_INSTALL) -r requirements/pip.txt
	.venv/audit/bin/python $(PIP_INSTALL) -r requirements/audit.txt
	.venv/audit/bin/python -m pip check
	@touch $@

# To try the system on this machine: a new key, plain HTTP, local host names only.
.env:
	@umask 077 && { \
		echo "SECRET_KEY=$$($(PYTHON) -c 'import secrets; print(secrets.token_urlsafe(50))')"; \
		echo "HTTPS=false"; \
		echo "ALLOWED_HOSTS=localhost,127.0.0.1,[::1]"; \
	} > $@

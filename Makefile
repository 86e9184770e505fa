# make demo | test | check | docs | clean       PYTHON=python3.12 make test       make test PYTEST_ARGS="-k settings"
PYTHON ?= python3
# Tests wait for processes and servers a third of their time.
PYTEST_ARGS ?= -n $(shell $(PYTHON) -c 'import os; print(2 * (os.cpu_count() or 1))') --dist loadfile --no-loadscope-reorder
DEMO_ARGS ?=
VENV := .venv
BIN := $(VENV)/bin

.PHONY: demo test check lint types bench-smoke docs clean

demo: $(VENV)/.installed-demo  ## a page to try the whole bot on; DEMO_ARGS='--seconds 30' plays a script instead
	$(BIN)/lms-bot demo $(DEMO_ARGS)

test: $(VENV)/.installed-test
	$(BIN)/python -m pytest $(PYTEST_ARGS)

check: test lint types bench-smoke

lint: $(VENV)/.installed-test
	$(BIN)/ruff check .
	$(BIN)/lint-imports
	$(BIN)/python -m tests.sizes

types: $(VENV)/.installed-test
	$(BIN)/mypy

bench-smoke: $(VENV)/.installed-test
	$(BIN)/python -m benchmarks --smoke

docs: $(VENV)/.installed-test  ## what the documents and lms_bot.conf.example take from the code
	$(BIN)/python -m lms_bot.settings.documents
	$(BIN)/python -m tests.worlds.written_docs

clean:
	rm -rf $(VENV) build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# The stamps lie inside the environment, so they go with it; it is installed anew when pyproject.toml changes.
$(VENV)/.installed-%: pyproject.toml $(VENV)/.created
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[$*]'
	@touch $@

$(VENV)/.created:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 10))' || \
		{ echo "Python 3.10 or later is needed: make PYTHON=/path/to/python3" >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || \
		{ echo "python3 cannot make virtual environments; on Debian or Ubuntu: sudo apt-get install python3-venv" >&2; exit 1; }
	$(PYTHON) -m venv $(VENV)
	@touch $@

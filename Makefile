# Two commands are all a newcomer needs: `make demo` and `make test`. Python 3.12+ and pip are enough.
VENV ?= .venv
BIN := $(VENV)/bin
CANDIDATES := python3.12 python3.13 python3.14 python3 python
STAMP := $(VENV)/.installed
TOOLS := $(VENV)/.tools

.PHONY: demo test test-versions foreign coverage check format lint types bench wheel clean

demo: $(STAMP)  ## documents through the Message Batches protocol; LIVE=1 with ANTHROPIC_API_KEY talks to the real service
	@$(BIN)/python examples/demo.py $(if $(filter-out 0 no false off,$(LIVE)),--live)

test: $(TOOLS)  ## all tests, two more processes than there are cores
	@$(BIN)/python -m pytest --forks auto

# Servers of OpenAI's batch protocol that others wrote; their packages do not go with ours.
FOREIGN := llmock==0.2.2 aibrix==0.8.0

foreign: $(STAMP)  ## servers that others wrote, for the tests that run against them (300 MB in .foreign)
	@for package in $(FOREIGN); do folder=.foreign/$${package%%==*}; [ -e $$folder/installed ] || { \
	  $(BIN)/python -m venv $$folder && \
	  $$folder/bin/python -m pip install --quiet --disable-pip-version-check $$package && touch $$folder/installed; } || exit 1; \
	done

test-versions:  ## all tests on each Python that is installed; those that are not are named
	@for python in python3.12 python3.13 python3.14; do \
	  if $$python -c '' >/dev/null 2>&1; then \
	    $(MAKE) --no-print-directory VENV=.venv-$${python#python} CANDIDATES=$$python test || exit 1; \
	  else echo "$$python is not installed: skipped"; fi; done

coverage: $(TOOLS)  ## branch coverage of all tests, the files with least first
	@rm -rf .coverage && mkdir .coverage
	@$(BIN)/coverage run -m pytest --forks auto
	@$(BIN)/coverage combine --quiet
	@$(BIN)/coverage report

check: $(TOOLS)  ## what CI runs: format, lint, types, tests
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .
	@$(BIN)/mypy
	@$(BIN)/mypy --config-file tests/mypy.ini tests
	@$(BIN)/mypy tests/typed
	@$(BIN)/basedpyright --project tests/typed --pythonpath $(BIN)/python
	@$(MAKE) --no-print-directory test

format: $(TOOLS)  ## rewrite the files as `check` wants them
	@$(BIN)/ruff check --fix .
	@$(BIN)/ruff format .

bench: $(TOOLS)  ## the durable run against the plain SDK loop
	@$(BIN)/python tests/benchmarks/durable_run.py

wheel: $(TOOLS)  ## a wheel in dist/
	@$(BIN)/python -m build --wheel

clean:  ## everything that can be made again
	rm -rf $(VENV) .foreign dist .demo .pytest_cache .mypy_cache .ruff_cache .hypothesis .coverage

$(STAMP): pyproject.toml
	@python=; for c in $(CANDIDATES); do \
	  if $$c -c 'import sys; sys.exit(sys.version_info < (3, 12))' >/dev/null 2>&1; then python=$$c; break; fi; done; \
	if [ -z "$$python" ]; then echo "Batchata needs Python 3.12 or newer; none of '$(CANDIDATES)' is one." >&2; exit 1; fi; \
	[ -x $(BIN)/python ] || { echo "making $(VENV) with $$($$python --version)"; $$python -m venv $(VENV); }
	@echo "installing Batchata into $(VENV) (once)"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -e .
	@touch $@

$(TOOLS): $(STAMP)
	@echo "installing what tests and checks need (once, a few minutes)"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[dev]'
	@touch $@

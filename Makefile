# Needs Python 3.11 or newer with venv, and make. Every target sets itself up in .venv; an empty HOME will do.

SESSION ?= data/sessions/sample

PYTHON ?= $(shell for python in python3.11 python3 python; do \
	$$python -c 'import sys, ensurepip; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$python && break; done)
VENV := .venv
LAB := .venv-lab
RUN := $(VENV)/bin/python -m
STATE := $(CURDIR)/build
TEST := $(RUN) pytest

# No MPLBACKEND: it would switch off the notebooks' inline figures. Without a display matplotlib draws off screen.
export MPLCONFIGDIR := $(STATE)/matplotlib
export IPYTHONDIR := $(STATE)/ipython
export JUPYTER_CONFIG_DIR := $(STATE)/jupyter/config
export JUPYTER_DATA_DIR := $(STATE)/jupyter/data
export JUPYTER_RUNTIME_DIR := $(STATE)/jupyter/runtime
export PIP_DISABLE_PIP_VERSION_CHECK := 1
export PYTHONHASHSEED := 0

.DEFAULT_GOAL := help
.NOTPARALLEL:
.PHONY: help setup report test check fix lint types unit property armed notebook-tests readme lab notebooks conformance seeds parameters matrix mutation bench bench-market bench-peers lock clean

help:
	@echo 'make report      review $(SESSION) and say where the report is (SESSION=DIR for your own)'
	@echo 'make test        everything that CI runs: check, unit, property, armed, notebooks, README'
	@echo 'make check       ruff and mypy; make fix repairs what ruff can'
	@echo 'make lab         open the notebooks in JupyterLab'
	@echo 'make notebooks   execute the notebooks in place'
	@echo 'make seeds       audit and review simulated sessions over a pairwise cover of the conventions (minutes)'
	@echo 'make parameters  run every notebook on ten other sets of parameters by papermill (minutes)'
	@echo 'make conformance try right and wrong targets against the whole contract (minutes)'
	@echo 'make matrix      try the libraries of tests/matrix/requirements.txt against the vectors'
	@echo 'make mutation    change the formulas and replays a little at a time and see the tests fail (minutes)'
	@echo 'make bench       time the review of a million order events, fills, positions and claims, and of 2 and 4 million'
	@echo 'make bench-market time the review of 10 million book rows, 10 million trades, a million orders; half; a quarter (minutes)'
	@echo 'make bench-peers replay a book beside hftbacktest and sign trades beside polars, 10 million rows each (minutes)'
	@echo 'make setup       only the environment; make lock pins it anew; make clean removes it'

# --- environment ---

setup: $(VENV)/.stamp
	@:

define create
	@test -n '$(PYTHON)' || { echo 'no Python 3.11 or newer with venv found: install one or say make PYTHON=...' >&2; exit 1; }
	@echo 'installing $< into $(@D)'
	@$(PYTHON) -m venv --clear $(@D)
	@$(@D)/bin/python -m pip install --quiet --require-hashes -r $<
	@touch $@
endef
install = $(@D)/bin/python -m pip install --quiet --no-deps --no-build-isolation --editable . && touch $@

$(VENV)/.locked: requirements.lock
	$(create)

$(LAB)/.locked: requirements-lab.lock
	$(create)

%/.stamp: %/.locked pyproject.toml
	@$(install)

.PRECIOUS: %/.locked

# Starts from the pins that are there; delete the lock files first to take the newest of everything.
lock:
	$(PYTHON) -m venv --clear .venv-lock
	.venv-lock/bin/python -m pip install --quiet uv==0.13.9
	.venv-lock/bin/uv $(compile) --extra test --extra fast -o requirements.lock
	.venv-lock/bin/uv $(compile) --extra test --extra fast --extra lab -c requirements.lock -o requirements-lab.lock
	rm -rf .venv-lock

compile = pip compile pyproject.toml --quiet --universal --python-version 3.11 --fork-strategy fewest \
	--generate-hashes --no-emit-index-url --strip-extras --custom-compile-command 'make lock'

clean:
	rm -rf $(VENV) $(LAB) .venv-matrix .venv-mutation .venv-bench .venv-lock build dist .hypothesis .mypy_cache .pytest_cache .ruff_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# Whole targets, right and wrong, under generated inputs: longer than a commit should wait.
conformance: setup
	@$(TEST) -n 2 -m campaign tests/conformance tests/test_bot.py

# Twenty seeds over a pairwise cover of the conventions: an independent audit of each session, and its review.
seeds: setup
	@$(TEST) -n 2 -m campaign tests/simulate

# Every notebook of a section on every set of parameters, each in a kernel of its own.
parameters: setup
	@$(TEST) -m campaign tests/notebooks

# The libraries are in an environment of their own; not part of `make test`, which holds data/matrix.json to the vectors.
matrix: .venv-matrix/.stamp-matrix
	.venv-matrix/bin/python tests/matrix/run.py

.venv-matrix/.stamp-matrix: tests/matrix/requirements.txt
	@$(PYTHON) -m venv --clear $(@D)
	@$(@D)/bin/python -m pip install --quiet -r $<
	@touch $@

# In an environment and a copy of their own, build/mutation: tests/mutation/README.md has the figures.
mutation: .venv-mutation/.stamp-mutation
	.venv-mutation/bin/python tests/mutation/run.py

.venv-mutation/.stamp-mutation: tests/mutation/requirements.txt
	@$(PYTHON) -m venv --clear $(@D)
	@$(@D)/bin/python -m pip install --quiet -r $<
	@touch $@

# The sessions are made once, in build/bench: tests/bench/README.md has the figures.
bench: setup
	@$(VENV)/bin/python tests/bench/run.py

bench-market: setup
	@$(VENV)/bin/python tests/bench/market.py

# hftbacktest wants a NumPy of its own: the peers have an environment of their own.
bench-peers: setup .venv-bench/.stamp-bench
	@$(VENV)/bin/python tests/bench/book.py --peer .venv-bench/bin/python
	@PYTHONPATH=$(CURDIR) .venv-bench/bin/python tests/bench/lee_ready.py

.venv-bench/.stamp-bench: tests/bench/requirements.txt
	@$(PYTHON) -m venv --clear $(@D)
	@$(@D)/bin/python -m pip install --quiet -r $<
	@touch $@

# --- the review ---

# READY (0), NOT READY (1) and READY WITH CONDITIONS (3) are results; unusable input (2) and a crash (4) are errors.
report: setup
	@$(RUN) mmverify review $(SESSION); status=$$?; \
	case $$status in \
		0) verdict='READY' ;; \
		1) verdict='NOT READY' ;; \
		3) verdict='READY WITH CONDITIONS' ;; \
		*) exit $$status ;; \
	esac; \
	echo "$$verdict: open $(CURDIR)/reports/latest/index.html"

lab: $(LAB)/.stamp
	$(LAB)/bin/python -m jupyterlab notebooks

notebooks: setup
	$(RUN) mmverify.runner refresh

# --- what CI runs, in this order ---

test: lint types unit property armed notebook-tests readme
check: lint types

fix: setup
	$(RUN) ruff check --fix .
	$(RUN) ruff format .

lint: setup
	@echo '== lint =='
	@$(RUN) ruff check .
	@$(RUN) ruff format --check .

types: setup
	@echo '== types =='
	@$(RUN) mypy

unit: setup
	@echo '== unit =='
	@$(TEST) -n 2 -m 'not (hypothesis or armed or notebook or readme or campaign)'

property: setup
	@echo '== property =='
	@$(TEST) -m 'hypothesis and not campaign'

armed: setup
	@echo '== armed: every seeded defect trips its check =='
	@$(TEST) -n 2 -m 'armed and not campaign'

# A notebook is one kernel: loadfile keeps its cells on one worker.
notebook-tests: setup
	@echo '== notebooks by nbval: stored outputs come out again =='
	@$(TEST) --nbval --nbval-current-env -n 2 --dist loadfile notebooks
	@echo '== notebooks by papermill: other parameters =='
	@$(TEST) -m 'notebook and not campaign' --ignore tests/notebooks/test_parameters.py
	@$(TEST) -n 2 -m 'notebook and not campaign' tests/notebooks/test_parameters.py

readme: setup
	@echo '== README =='
	@$(TEST) -m readme

# Thin on purpose: each target sets up what it needs and calls one program.
#   make lab     JupyterLab on the start page of the course
#   make test    everything that continuous integration checks
#   make site    the course as a web site, in _docs; its lessons are run once, then only when they change
#   make bench   what a batch costs in the engine, and a step in the optimizer
# PYTHON chooses the interpreter of the environment, LAB_ARGS and TEST_ARGS are handed on.

PYTHON ?= python3
BIN := .venv/$(if $(filter Windows_NT,$(OS)),Scripts,bin)
# pip installs the tested versions. Which build of torch that is, is up to the index that pip asks: where it offers one
# with CUDA, as PyPI does for Linux, pip installs that one, some gigabytes. The path is relative, because pip would take
# a space in it for the end.
export PIP_CONSTRAINT := constraints.txt

.PHONY: lab test site test-site bench export clean-notebooks figures readme picture

lab: export JUPYTER_CONFIG_PATH := $(CURDIR)/jupyter
lab: .venv/.installed
	$(BIN)/jupyter lab $(LAB_ARGS)

test: .venv/.installed
	scripts/install_debian_packages.sh
	$(BIN)/python -m pytest --numprocesses 2 $(TEST_ARGS)

site: .venv/.installed
	$(BIN)/python site/make_site.py $(SITE_ARGS)

# The whole site in a browser; `make test` builds and opens a small one.
test-site: .venv/.installed
	scripts/install_debian_packages.sh
	FASTCOURSE_SITE=_docs $(BIN)/python -m pytest tests/browser/test_site.py $(TEST_ARGS)

bench: .venv/.installed
	$(BIN)/python benchmarks/loop_overhead.py
	$(BIN)/python benchmarks/optimizer_step.py

export: .venv/.installed
	$(BIN)/nbdev_export

clean-notebooks: .venv/.installed
	$(BIN)/python scripts/clean_notebooks.py nbs

# The drawings of the lessons, from scripts/figures.
figures: .venv/.installed
	$(BIN)/python scripts/draw_figures.py

# Executed for a learner who has solved nothing yet.
readme: export FASTCOURSE_HOME := $(CURDIR)/artefacts/nobody
readme: .venv/.installed
	$(BIN)/python scripts/draw_lessons.py
	$(BIN)/jupyter nbconvert --execute --inplace nbs/index.ipynb
	$(BIN)/python scripts/clean_notebooks.py nbs/index.ipynb
	$(BIN)/python scripts/make_readme.py

# The pictures of the start page, from the browser tests that ran last.
picture:
	cp artefacts/browser/22_learner-0-after.png images/lesson.png
	cp artefacts/browser/36_cam-0-after.png images/heat_map.png

.venv/.installed: settings.ini setup.py constraints.txt
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --editable ".[lab,scale,subword,parquet,site,dev]"
	$(BIN)/python scripts/install_git_hooks.py
	touch $@

# Thin on purpose: each target sets up what it needs and calls one program.
#   make lab     JupyterLab on the start page of the course
#   make test    everything that continuous integration checks
#   make site    the course as a web site, in _docs; its lessons are run once, then only when they change
#   make bench   what the course costs beside fastai, timm and Lightning, in an environment of its own (an hour)
#   make bench-quick   whether a ratio to PyTorch's own has fallen (minutes, no other library)
#   make properties   what must hold for all inputs, tried more than 100,000 times
#   make fuzz    a million files for the readers of files, guided by the branches that they reach (Linux)
# PYTHON chooses the interpreter of the environment, LAB_ARGS and TEST_ARGS are handed on.

PYTHON ?= python3
BIN := .venv/$(if $(filter Windows_NT,$(OS)),Scripts,bin)
BENCH := .venv-bench/$(if $(filter Windows_NT,$(OS)),Scripts,bin)
# pip installs the tested versions. Which build of torch that is, is up to the index that pip asks: where it offers one
# with CUDA, as PyPI does for Linux, pip installs that one, some gigabytes. The path is relative, because pip would take
# a space in it for the end.
export PIP_CONSTRAINT := constraints.txt

.PHONY: lab test faults properties fuzz site test-site bench bench-quick bench-table export clean-notebooks figures readme picture

lab: export JUPYTER_CONFIG_PATH := $(CURDIR)/jupyter
lab: .venv/.installed
	$(BIN)/jupyter lab $(LAB_ARGS)

test: .venv/.installed
	scripts/install_debian_packages.sh
	$(BIN)/python -m pytest --numprocesses 2 $(TEST_ARGS)

# Kills, full disks, damage: 50 tries of each, with the table of tests/faults/README.md.
faults: .venv/.installed
	$(BIN)/python tests/faults/run.py

properties: .venv/.installed
	$(BIN)/python tests/properties/record.py $(PROPERTIES_ARGS)

fuzz: .venv/.installed .venv-fuzz/.installed
	OMP_NUM_THREADS=1 PYTHONPATH=.venv-fuzz $(BIN)/python tests/fuzz/fuzz.py $(FUZZ_ARGS)

site: .venv/.installed
	$(BIN)/python site/make_site.py $(SITE_ARGS)

# The whole site in a browser; `make test` builds and opens a small one.
test-site: .venv/.installed
	scripts/install_debian_packages.sh
	FASTCOURSE_SITE=_docs $(BIN)/python -m pytest tests/browser/test_site.py $(TEST_ARGS)

# BENCH_ARGS is handed on, such as: make bench BENCH_ARGS="--rows loop imports".
bench bench-quick: export OMP_NUM_THREADS := 1
bench bench-quick: export PYTHONPATH := .
bench: .venv-bench/.installed
	$(BENCH)/python benchmarks/side_by_side.py $(BENCH_ARGS)

bench-quick: .venv/.installed
	$(BIN)/python benchmarks/quick.py $(BENCH_ARGS)

bench-table: .venv/.installed
	$(BIN)/python benchmarks/side_by_side.py --table

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

# First torch, with whatever its build needs. Then every package by its version, so torchvision brings no other torch.
.venv-bench/.installed: benchmarks/requirements.txt
	$(PYTHON) -m venv .venv-bench
	PIP_CONSTRAINT= $(BENCH)/python -m pip install "$$(grep '^torch==' benchmarks/requirements.txt)"
	PIP_CONSTRAINT= $(BENCH)/python -m pip install --no-deps --requirement benchmarks/requirements.txt
	touch $@

.venv/.installed: settings.ini setup.py constraints.txt
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --editable ".[lab,scale,subword,parquet,site,dev]"
	$(BIN)/python scripts/install_git_hooks.py
	touch $@

# Beside the environment, whose versions it leaves alone.
.venv-fuzz/.installed: .venv/.installed
	$(BIN)/python -m pip install --no-deps --target .venv-fuzz atheris==3.0.0
	touch $@

# make demo    install into .venv and drive the world model that ships beside the reference world
# make test    install what the tests need and run them, on every core up to 8
# make lint    ruff and mypy
# make world   train the checkpoint that ships, from nothing
#
# PYTHON=python3.12  another interpreter (3.11 or 3.12)
# TORCH=torch        another torch than the one tested here. On Linux, PyPI's torch brings gigabytes of CUDA libraries;
#                    without a GPU the small build will do:
#                    PIP_EXTRA_INDEX_URL=https://download.pytorch.org/whl/cpu make demo

PYTHON ?= $(shell for each in python3.11 python3.12 python3 python; do \
	$$each -c 'import sys, ensurepip; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 12))' 2>/dev/null \
	&& echo $$each && break; done)
TORCH ?= torch==2.13.0
VENV ?= .venv
BIN := $(VENV)/bin
INSTALL := $(BIN)/python -m pip install --disable-pip-version-check --quiet

.PHONY: help demo test lint format world clean
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:

help:
	@sed -n '/^#/!q; s/^# \{0,1\}//p' Makefile

demo: $(VENV)/installed
	$(BIN)/worldsim demo

test: $(VENV)/installed-test
	$(BIN)/python -m pytest -n auto --maxprocesses=8 --dist=loadfile

lint: $(VENV)/installed-test
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

format: $(VENV)/installed-test
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

# Every step keeps what is finished: after an interruption, run it again. Ten parts of any scenario to one of each.
any := any,any,any,any,any
scenes := $(any),$(any),highway,highway_dense,night_rain,two_way,curves,merge,racetrack,roundabout,intersection,exit
scenes := $(scenes),fog_highway,snow_curves,dusk_city,empty_road

world: $(VENV)/installed-world
	$(BIN)/worldsim collect out=data/road episodes=400 "scenarios=[$(scenes)]"
	$(BIN)/worldsim train-tokenizer preset=small data=data/road loop.out=runs/tokenizer loop.minutes=35 loss.vehicle=7
	$(BIN)/worldsim encode data=data/road tokenizer=runs/tokenizer
	$(BIN)/worldsim train-dynamics preset=small data=data/road tokenizer=runs/tokenizer loop.out=runs/dynamics
	$(BIN)/worldsim train-decoder world=runs/dynamics/world data=data/road loop.out=runs/decoder
	$(BIN)/worldsim release world=runs/decoder/world data=data/road name=road

clean:
	rm -rf $(VENV) .pytest_cache .mypy_cache .ruff_cache

$(BIN)/python:
	@test -n "$(PYTHON)" || { echo "make: expected Python 3.11 or 3.12 with its venv module on the path, found none;" \
		"install one, or name it: make demo PYTHON=/path/to/python3.11"; exit 1; }
	@echo "making $(VENV) with $(PYTHON); installing takes a few minutes"
	$(PYTHON) -m venv $(VENV)

$(VENV)/installed: pyproject.toml | $(BIN)/python
	$(INSTALL) "$(TORCH)" -e .
	@touch $@

$(VENV)/installed-test: pyproject.toml | $(BIN)/python
	$(INSTALL) "$(TORCH)" -e '.[dev,text,rl,torchrl,cockpit,nuscenes,search]'
	@touch $@ $(VENV)/installed

$(VENV)/installed-world: pyproject.toml | $(BIN)/python
	$(INSTALL) "$(TORCH)" -e '.[text,train]'
	@touch $@ $(VENV)/installed

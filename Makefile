# Two commands for a fresh machine (python3 ≥ 3.11 with venv): `make demo` and `make test`.
PYTHON ?= python3
DEMO := .venv-demo
DEV := .venv
BIN := $(DEV)/bin

.PHONY: demo test check bench docs default-model clean

## Tag the example clips with a base install, and draw a taggram.
demo: $(DEMO)/installed
	$(DEMO)/bin/taggram tag examples/clips --recursive
	@mkdir -p demo
	@$(DEMO)/bin/taggram taggram examples/clips/medley.m4a --output demo/taggram.png --chunk-hop 1 >/dev/null
	@echo "The taggram of examples/clips/medley.m4a is in demo/taggram.png"

## Run lint, format, types, tests and docs build in an environment of their own.
test: $(DEV)/installed
	$(BIN)/python scripts/check.py

check: test

## Measure speed and memory, beside the plain way, in one run.
bench: $(DEV)/installed
	$(BIN)/python -m benchmarks

docs: $(DEV)/installed
	$(BIN)/python -m sphinx -W -b html docs site

## Train the model that ships, from ../shared.
default-model: $(DEV)/installed
	$(BIN)/python scripts/train_default_model.py --shared ../shared --cache .cache/distillation \
	  --output src/taggram/models/default.onnx

$(DEMO)/installed: pyproject.toml constraints.txt
	$(PYTHON) -m venv $(DEMO)
	$(DEMO)/bin/python -m pip install --quiet --disable-pip-version-check -c constraints.txt .
	touch $@

$(DEV)/installed: pyproject.toml constraints.txt
	$(PYTHON) -m venv $(DEV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev]'
	touch $@

clean:
	rm -rf $(DEMO) $(DEV) demo site build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis

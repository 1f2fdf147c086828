PYTHON ?= python3
VENV := .venv
STAMP := $(VENV)/.installed
EVOSIM := $(VENV)/bin/evosim

SCENARIO ?= scenarios/coinrun.toml
STUDY ?= scenarios/studies/coinrun_dose.toml
OUT ?=
ARGS ?=
RESULTS ?= results
# Two workers halve the time on two cores; more would only wait for them.
TESTS ?= -n 2 --dist worksteal

.PHONY: help
help:  ## list every target with its purpose
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-13s %s\n", $$1, $$2}'

$(STAMP): pyproject.toml .ci/constraints.txt
	@test -x $(VENV)/bin/python || $(PYTHON) -m venv $(VENV)
	$(VENV)/bin/python -m pip install --quiet --disable-pip-version-check -c .ci/constraints.txt -e '.[dev]'
	@touch $(STAMP)

.PHONY: setup
setup: $(STAMP)  ## create .venv from the pinned versions, nothing else

.PHONY: run
run: $(STAMP)  ## run one scenario: SCENARIO=file [OUT=dir] [ARGS="--seed 3 --set key=value"]
	@$(EVOSIM) run "$(SCENARIO)" $(if $(OUT),--out "$(OUT)") $(ARGS)

.PHONY: study
study: $(STAMP)  ## do the runs of a study that are missing: STUDY=file [OUT=dir] [ARGS="--workers 2"]
	@$(EVOSIM) study "$(STUDY)" $(if $(OUT),--out "$(OUT)") $(ARGS)

.PHONY: reproduce
reproduce: $(STAMP)  ## run every scenario that changed since its results, then list all claims
	@$(EVOSIM) reproduce scenarios --out $(RESULTS) $(ARGS)

.PHONY: figures
figures: $(STAMP)  ## draw the figures of analysis/ from the tables in results/
	@failed=0; for script in analysis/*.py; do \
		echo "$$script"; $(VENV)/bin/python "$$script" $(RESULTS) || failed=1; \
	done; exit $$failed

# The worlds of the figure analysis/spectrum.py.
SPECTRUM := spectrum spectrum_evolving racer fork schoolchildren steering pages

.PHONY: spectrum
spectrum: $(STAMP)  ## run the scenarios of the spectrum of foresight, list their claims, draw their figures
	@$(EVOSIM) reproduce scenarios --out $(RESULTS) $(addprefix --only ,$(SPECTRUM)) $(ARGS)
	@$(VENV)/bin/python analysis/spectrum.py $(RESULTS)
	@$(VENV)/bin/python analysis/steering.py $(RESULTS)

# The worlds of the figure analysis/battery.py: those that say what their predictors are put to.
BATTERY := animals cheese_mouse cloning_device deployment frozen_lake new_domain predictors \
	pursuit pursuit_plane superstimulus taxi waking wrapper

.PHONY: battery
battery: $(STAMP)  ## run the worlds that put both predictors to the test, list their claims, draw their figure
	@$(EVOSIM) reproduce scenarios --out $(RESULTS) $(addprefix --only ,$(BATTERY)) $(ARGS)
	@$(VENV)/bin/python analysis/battery.py $(RESULTS)

# The worlds of the figure analysis/culture.py.
CULTURE := saturated unbounded overhang left_turn

.PHONY: culture
culture: $(STAMP)  ## run the four cultural channels, list their claims, draw their figure
	@$(EVOSIM) reproduce scenarios --out $(RESULTS) $(addprefix --only ,$(CULTURE)) $(ARGS)
	@$(VENV)/bin/python analysis/culture.py $(RESULTS)

.PHONY: test
test: $(STAMP)  ## the tests that every change must pass (under 10 minutes on two cores)
	$(VENV)/bin/python -m pytest -q $(TESTS) -m "not validate" $(ARGS)

.PHONY: test-browser
test-browser: $(STAMP)  ## the page in a real browser; as root installs Debian's chromium
	@.ci/browser $(VENV)
	EVOSIM_BROWSER=1 $(VENV)/bin/python -m pytest -q tests/test_page.py tests/test_page_browser.py $(ARGS)

.PHONY: validate
validate: $(STAMP)  ## the long statistical tests, and the theory suite with its table
	$(VENV)/bin/python -m pytest -q $(TESTS) -m validate $(ARGS)
	$(EVOSIM) validate

.PHONY: lint
lint: $(STAMP)  ## style, format and types, nothing changed
	$(VENV)/bin/ruff check
	$(VENV)/bin/ruff format --check
	$(VENV)/bin/mypy

.PHONY: format
format: $(STAMP)  ## put every file into the project's format
	$(VENV)/bin/ruff check --fix
	$(VENV)/bin/ruff format

.PHONY: bench
bench: $(STAMP)  ## agent-steps per second against plain C and other tools
	@$(EVOSIM) bench $(ARGS)

.PHONY: schema
schema: $(STAMP)  ## write the JSON Schemas of scenario and study files into the package
	@mkdir -p evosim/schema
	$(EVOSIM) schema > evosim/schema/scenario.schema.json.new
	mv evosim/schema/scenario.schema.json.new evosim/schema/scenario.schema.json
	$(EVOSIM) schema --study > evosim/schema/study.schema.json.new
	mv evosim/schema/study.schema.json.new evosim/schema/study.schema.json

.PHONY: clean
clean:  ## remove the environment and every cache, but no results
	rm -rf $(VENV) build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis .benchmarks
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

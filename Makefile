PYTHON ?= python3
VENV := .venv
STAMP := $(VENV)/.installed

.PHONY: help
help:  ## list every target with its purpose
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-12s %s\n", $$1, $$2}'

$(STAMP): pyproject.toml .ci/constraints.txt
	@test -x $(VENV)/bin/python || $(PYTHON) -m venv $(VENV)
	$(VENV)/bin/python -m pip install --quiet --disable-pip-version-check -c .ci/constraints.txt -e '.[dev]'
	@touch $(STAMP)

.PHONY: setup
setup: $(STAMP)  ## create .venv from the pinned versions, nothing else

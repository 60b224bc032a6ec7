.DEFAULT_GOAL := help
PYTHON ?=
BIN := .venv/bin
# Programs of the virtual environment first: ansible-playbook, molecule and ssh helpers are found on PATH.
export PATH := $(CURDIR)/$(BIN):$(PATH)
ROLE ?=

.PHONY: help
help: ## list what can be made
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-14s %s\n", $$1, $$2}'

.PHONY: setup
setup: .venv/.ready ## make the virtual environment and install wavegate into it

.venv/.ready: pyproject.toml scripts/setup.sh
	@PYTHON=$(PYTHON) sh scripts/setup.sh

.PHONY: demo
demo: setup ## the main job on a fleet of containers: install, patch, stop a bad patch and take it back
	@$(BIN)/python scripts/demo.py

.PHONY: demo-down
demo-down: setup ## remove everything that the demo made
	@$(BIN)/python scripts/demo.py --down

.PHONY: test
test: setup ## all tests: linters, unit tests, tests on the lab, molecule
	@$(BIN)/python scripts/test.py

.PHONY: unit
unit: setup ## only the tests that need no container
	$(BIN)/pytest -q -m "not lab"

.PHONY: lint
lint: setup ## linters and types
	@$(BIN)/python scripts/test.py lint

.PHONY: fix
fix: setup ## let ruff put right what it can
	$(BIN)/ruff check --fix cli tests scripts benchmarks plugins
	$(BIN)/ruff format cli tests scripts benchmarks

.PHONY: molecule
molecule: setup ## test all roles with molecule, or one: make molecule ROLE=intranet
	@$(BIN)/python scripts/test.py molecule $(ROLE)

.PHONY: try
try: setup ## play a role on hosts that are kept, and look at it: make try ROLE=intranet
	@$(BIN)/python scripts/try_role.py "$(ROLE)"

.PHONY: try-down
try-down: setup ## remove the hosts that try kept: make try-down ROLE=intranet
	@$(BIN)/python scripts/try_role.py "$(ROLE)" --down

.PHONY: mutants
mutants: setup ## break the roles on purpose, and say which scenarios notice: make mutants ROLE=intranet
	@$(BIN)/python -m tests.mutants $(ROLE)

.PHONY: docs
docs: setup ## write the generated pages of docs/ and tables of the roles anew
	$(BIN)/python -m wavegate.config.reference docs/rollout-file.md
	$(BIN)/python scripts/cli_reference.py > docs/cli.md
	$(BIN)/python scripts/role_tables.py $(wildcard roles/*/README.md)

# `make` lists the targets.

CARGO   ?= cargo
RUNNER  := target/release/runner
SCENARIO ?= scenarios/sync_sleep.toml

.DEFAULT_GOAL := help
.PHONY: help build run test check format clippy unit docs sample clean

help: ## list the targets
	@grep -hE '^[a-z.-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z.-]+):.*## (.*)/  make \1\t\2/' | expand -t 18

build: ## build the release program, target/release/runner
	$(CARGO) build --release --locked

run: build ## build, run SCENARIO (scenarios/sync_sleep.toml), leave a report under reports/
	$(RUNNER) $(SCENARIO)

test: check ## everything that CI runs: format, lints, all tests

check: format clippy unit

format:
	$(CARGO) fmt --check

clippy:
	$(CARGO) clippy --locked --all-targets -- -D warnings

unit:
	$(CARGO) test --locked

clean: ## remove what was built
	$(CARGO) clean

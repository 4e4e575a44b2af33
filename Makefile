# `make` lists the targets.

CARGO   ?= cargo
RUNNER  := target/release/runner
QUICK   := target/quick/runner
SCENARIO ?= scenarios/sync_sleep.toml
PORT     ?= 8000
FUZZ_SECONDS ?= 60
APP      := scenarios/apps/python

.DEFAULT_GOAL := help
# No target is a file.
.PHONY: $(shell sed -n 's/^\([a-z.-]*\):.*/\1/p' $(firstword $(MAKEFILE_LIST)))

help: ## list the targets
	@grep -hE '^[a-z.-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z.-]+):.*## (.*)/  make \1\t\2/' | expand -t 22

build: ## build the release program, target/release/runner (whole-program optimisation: 7 minutes on two cores)
	$(CARGO) build --release --locked

run: ## build quickly (target/quick/runner), run SCENARIO (scenarios/sync_sleep.toml), leave a report under reports/
	$(CARGO) build --profile quick --locked
	$(QUICK) $(SCENARIO)

run.gunicorn: ## only the example app, under gunicorn (one sync worker), on 127.0.0.1:8000 (PORT=...)
	@$(MAKE) --no-print-directory -C $(APP) venv
	cd $(APP) && exec .venv/bin/gunicorn --workers 1 --bind 127.0.0.1:$(PORT) app:wsgi

run.uvicorn: ## only the example app, under uvicorn, on 127.0.0.1:8000 (PORT=...)
	@$(MAKE) --no-print-directory -C $(APP) venv
	cd $(APP) && exec .venv/bin/uvicorn --workers 1 --host 127.0.0.1 --port $(PORT) app:asgi

bench.script: build ## measure scripted handlers against native ones, and 10,000 and 40,000 suspended at once
	scripts/bench-handlers

bench.load: build ## measure runner's load beside wrk, ab and h2load on one server, taking turns
	@scripts/install-test-tools nginx wrk ab h2load
	scripts/bench-load

docs.load: build ## measure as bench.load does, and write the table into docs/speed.md
	@scripts/install-test-tools nginx wrk ab h2load
	scripts/bench-load --write

bench.instructions: build ## count the instructions of a request, and compare with benches/instructions.json
	@scripts/install-test-tools valgrind
	scripts/count-instructions

conformance: ## replay raw responses, whole and cut at every place, and compare what is read with what h11 reads
	$(CARGO) build --locked
	@$(MAKE) --no-print-directory -C $(APP) venv
	$(APP)/.venv/bin/python tests/conformance/replay.py

fuzz: ## feed the parser of responses any bytes for 60 s (FUZZ_SECONDS=...); installs cargo-fuzz if it is missing
	@$(CARGO) fuzz --version >/dev/null 2>&1 || $(CARGO) install cargo-fuzz --locked
	mkdir -p fuzz/corpus/response
	RUSTC_BOOTSTRAP=1 $(CARGO) fuzz run response --sanitizer none fuzz/corpus/response fuzz/seeds/response -- -max_total_time=$(FUZZ_SECONDS) -max_len=4096

docs.live: build ## measure what the live page costs, and write the tables into docs/report.md
	scripts/measure-live --write

docs.wrk: build ## measure with wrk and with runner, and write docs/compared-with-wrk.md
	@$(MAKE) --no-print-directory -C $(APP) venv
	scripts/compare-with-wrk

docs.scenarios: ## write docs/scenarios, a page for each key of a scenario, from the schema
	$(CARGO) build --locked
	scripts/write-key-pages

docs.reliability: ## write docs/reliability.md: the faults that were tried, from the tests that show what comes of them
	scripts/list-faults --write

corpus.prove: ## show with plain sockets that each server of tests/corpus leaks, or does not, as it says
	$(CARGO) build --locked
	@$(MAKE) --no-print-directory -C $(APP) venv
	tests/corpus/prove.py

corpus: ## run the dirty check on all servers of tests/corpus (the tests take one of each class)
	CORPUS=all $(CARGO) test --locked --test corpus

docs.corpus: build ## measure the dirty check on tests/corpus, and write the table into docs/dirty-check.md
	@$(MAKE) --no-print-directory -C $(APP) venv
	scripts/measure-corpus --write

corpus.real.install: ## install what the servers of tests/corpus/real are made of (PyPI, npm, Debian)
	@tests/corpus/real/install

corpus.real.prove: corpus.real.install ## show without the check that each set-up of tests/corpus/real leaks, or does not, as it says
	tests/corpus/prove.py tests/corpus/real/*.toml

docs.corpus.real: build corpus.real.install ## measure the check on tests/corpus/real, and write the table into docs/dirty-check.md
	scripts/measure-corpus --runs 10 --clean-runs 5 --write corpus.real tests/corpus/real/*.toml

nightly.corpus: build corpus corpus.prove corpus.real.prove ## run the check ten times on each server of tests/corpus and tests/corpus/real, and fail if it is not right often enough (4 hours)
	scripts/measure-corpus --runs 10 --clean-runs 5 --judge
	scripts/measure-corpus --runs 10 --clean-runs 5 --judge tests/corpus/real/*.toml

sweep.prove: ## show with plain sockets that each application of tests/sweep leaks where it says, and nowhere else
	@$(MAKE) --no-print-directory -C $(APP) venv
	$(APP)/.venv/bin/python tests/sweep/probe.py tests/sweep/*.toml

nightly.sweep: build sweep.prove ## sweep the applications of tests/sweep, and fail if it is not right often enough
	scripts/measure-sweep --runs 3 --judge

nightly.locate: build ## run the check ten times on each server of tests/corpus that leaks, and fail if it does not name the right lines of code often enough
	@$(MAKE) --no-print-directory -C $(APP) venv
	scripts/measure-locate --runs 10 --judge

nightly.signature: build ## inspect built-in and Python servers whose kind is known, and fail if one is taken for another (10 minutes on an idle machine)
	@$(MAKE) --no-print-directory -C $(APP) venv
	scripts/measure-signature --judge

nightly: build ## run all shipped scenarios, and leave reports/index.html (10 minutes)
	@$(MAKE) --no-print-directory -C $(APP) venv
	@scripts/install-test-tools postgres
	$(RUNNER) scenarios/ --junit reports/junit.xml

nightly.schema: build ## have taplo, which editors use, check the shipped scenarios by each draft of the schema (npm)
	for draft in 4 7 2020-12; do \
		$(RUNNER) schema --draft $$draft > target/schema-$$draft.json || exit 1; \
		npx --yes @taplo/cli@0.7.0 lint --schema file://$(CURDIR)/target/schema-$$draft.json scenarios/*.toml || exit 1; \
	done

nightly.ci: ## run the jobs of docs/ci from a clean clone, with the documented install line and nothing else (10 minutes)
	scripts/try-ci-job

fleet.demo: build ## show several machines on one: a NATS server, four agents, a load that they share, a night of two scenarios
	@scripts/install-test-tools nats-server
	scripts/fleet-demo

fleet.permissions: ## try what docs/fleet/nats.conf allows agents and submitters, and what it denies them
	@scripts/install-test-tools nats-server
	scripts/check-fleet-permissions --quiet

nightly.history: build ## measure false alarms, and how soon changes are told, on simulated histories; compare with Apache Otava
	scripts/compare-with-otava --series 400
	scripts/measure-nightly

nightly.decision: build ## measure what the decision is worth: false alarms, 5 % more work, and crossovers that agree (20 minutes on an idle machine)
	scripts/measure-decision

bench.scan: ## measure how fast canaries are looked for, by kind of body
	$(CARGO) bench --locked --bench scan

nightly.simulated: ## judge 10,000 simulated clean servers, 1,000 that tell nothing, and 500 that leak; sweep 60 applications that leak
	$(CARGO) test --release --locked --lib -- ten_thousand_simulated leaks_of_simulated_applications --ignored --nocapture

test: check ## everything that CI runs: format, lints, all tests

# `corpus.prove` takes minutes, and its servers change seldom: `make nightly.corpus` runs it.
check: format clippy tools
	@$(MAKE) --no-print-directory -C $(APP) venv
	@$(MAKE) --no-print-directory -j2 unit others

# They wait most of the time, too.
others:
	@$(MAKE) --no-print-directory app node fleet.permissions

format:
	$(CARGO) fmt --check

clippy:
	$(CARGO) clippy --locked --all-targets -- -D warnings
	$(CARGO) clippy --locked --manifest-path fuzz/Cargo.toml --target-dir target --no-default-features -- -D warnings

# Most tests wait for servers most of the time: more at once than a small machine has cores.
TEST_THREADS ?= 6

# One process for all tests of a binary: they draw their ports from one list.
unit: tools ## all tests in Rust
	scripts/test-rust --threads $(TEST_THREADS)

tools: ## install what the tests drive and this machine lacks: chromium, node, nginx, wrk, nats-server (apt-get, as root)
	@scripts/install-test-tools

app: ## tests in Python: the example app, and the probe for Python
	@$(MAKE) --no-print-directory -C $(APP) test

app.frameworks: ## test the servers of scenarios/python_frameworks.toml before a real PostgreSQL (apt-get, as root)
	@scripts/install-test-tools postgres
	@$(MAKE) --no-print-directory -C scenarios/apps/frameworks test

node: tools ## tests in JavaScript: the probe for Node
	node --test tests/node/

sample: build ## make reports/sample anew
	rm -rf target/sample
	$(RUNNER) --quiet --reports target/sample scenarios/dirty.toml
	rm -f reports/sample/*
	cp target/sample/dirty/latest/* reports/sample/
	rm -f reports/sample/run.log

clean: ## remove what was built
	$(CARGO) clean

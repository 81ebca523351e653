# `make up` and `make test` are all one needs; `make help` lists the rest.

SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory

# make bench SCENARIOS="first rerun" RUNS=5 PEERS="duckdb polars spark"
SCENARIOS ?= first rerun correction
RUNS ?= 3
PEERS ?= duckdb polars

.PHONY: help up down test bench ci lint style clippy tidy halves fmt doc docs dist clean

help: ## show this list
	@echo 'make up and make test install what is missing, build and run. The rest:'
	@awk 'BEGIN {FS = ":.*## "} /^[a-z-]+:.*## / {printf "  make %-7s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

up: ## build, load the sample day, run the control chain, print the report, serve the admin API
	@scripts/up.sh

down: ## stop the services that make up started
	@scripts/services.sh stop

test: ## run every test of the workspace
	@scripts/test.sh

bench: ## measure against other engines (SCENARIOS=, RUNS=, PEERS=; see bench/README.md)
	@scripts/install-deps.sh test
	@bench/setup.sh $(if $(filter spark,$(PEERS)),--spark)
	cargo build --release --locked --workspace
	.nsc/bench-venv/bin/python bench/run.py --runs $(RUNS) --peers "$(PEERS)" $(SCENARIOS)

ci: ## what CI runs: lint and test, with each crate compiled once
	@scripts/install-deps.sh test
	@$(MAKE) style
	@set -e; . scripts/clippy-as-compiler.sh; $(MAKE) tidy; $(MAKE) test

lint: style clippy tidy ## formatting, licences, bans and sources of dependencies, clippy, tidy

style: ## formatting, and the licences, bans and sources of dependencies
	@scripts/cargo-tools.sh cargo-deny
	cargo fmt --all --check
	.nsc/tools/cargo-deny --log-level error check bans licenses sources
	@if [ -d "$${CARGO_HOME:-$$HOME/.cargo}/advisory-dbs" ]; then set -x; .nsc/tools/cargo-deny --offline check advisories; \
	else echo 'advisories were not checked: their database is not here (.nsc/tools/cargo-deny fetch db brings it)'; fi

clippy: ## the lints of the workspace, warnings are errors
	cargo clippy --release --workspace --all-targets --locked -- -D warnings

tidy: ## names in the docs, layers, generated pages
	cargo run --release --locked --quiet --package xtask -- tidy

halves: ## each half of nsc alone, as an image may carry it (features lakehouse, serving)
	for half in lakehouse serving; do cargo clippy --release --locked -p nsc-cli \
	--no-default-features --features $$half -- -D warnings || exit 1; done

fmt: ## format the tree
	cargo fmt --all

doc: ## the API documentation, into target/doc
	RUSTDOCFLAGS='-D warnings' cargo doc --release --workspace --no-deps --locked

dist: ## the program as it is shipped: smaller, told from which commit; target/dist/nsc
	NSC_BUILD_COMMIT=$$(git rev-parse --short=12 HEAD) cargo build --profile dist --locked --package nsc-cli

docs: ## the documentation as web pages, into target/site
	cargo run --release --locked --quiet --package xtask -- site

clean: ## remove what was built, the sample lake, the test environments and the bench data
	@scripts/services.sh remove
	cargo clean
	rm -rf .nsc

# The commands a person and the build machine run. `make` alone lists them.
#
# Everything that is built or fetched goes below cargo's target directory; CARGO_TARGET_DIR moves it.

SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:

CARGO ?= cargo
CARGO_TARGET_DIR ?= $(CURDIR)/target
export CARGO_TARGET_DIR
# An editor or a previous command may have exported it for another project.
unexport RUSTFLAGS

TARGET := $(CARGO_TARGET_DIR)
GUESTS := $(TARGET)/plugins
TOOLCHAINS := $(TARGET)/toolchains
# Guests are a workspace of their own: run cargo where its configuration is, and keep its products apart.
GUEST_CARGO := cd plugins && CARGO_TARGET_DIR="$(TARGET)/guests" $(CARGO)
CYCLES ?= 25
POWER_CYCLES ?= 10
RUNS ?= 3
CARGO_DENY := 0.20.2

.PHONY: help setup rust toolchains sdks plugins build demo test fmt lint unit doc suite deny bench bench-plugins crash clean-peers

help: ## List the targets
	@grep -E '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## (.*)/make \1|\2/' | column -t -s '|'

setup: rust ## Install what Rust needs, and say what else the tests want
	@missing=0; \
	want() { command -v "$$1" >/dev/null || { echo "missing: $$1 ($$2)"; missing=1; }; }; \
	want cc "C compiler for dependencies with C inside: apt-get install build-essential"; \
	want cmake "builds the TLS library: apt-get install cmake"; \
	want python3 "plugins in Python, boto3 and the AWS CLI as foreign clients: apt-get install python3 python3-venv"; \
	want go "plugins in Go, and versitygw, an S3 server from another hand: Go 1.26 or newer"; \
	want node "plugins in JavaScript and TypeScript: Node.js 20 or newer"; \
	want npm "their toolchain: comes with Node.js"; \
	want java "s3proxy, a third S3 server, and OpenSearch: apt-get install openjdk-17-jdk-headless"; \
	want javac "starts OpenSearch from its libraries: apt-get install openjdk-17-jdk-headless"; \
	want mvn "fetches s3proxy and OpenSearch: apt-get install maven"; \
	ls /usr/lib/postgresql/*/bin/initdb >/dev/null 2>&1 || { echo "missing: PostgreSQL 14 or newer (what stands in for Redshift: apt-get install postgresql)"; missing=1; }; \
	want openssl "makes a certificate for it: apt-get install openssl"; \
	if [ $$missing = 0 ]; then echo "everything is here"; else echo "make demo needs Rust and a C compiler only; make test needs all of it"; fi

rust: ## Install the toolchain of rust-toolchain.toml and its wasm target
	@command -v $(CARGO) >/dev/null || { echo "error: no cargo"; echo "hint: install rustup, see the Rust site's Getting Started page"; exit 1; }
	@if command -v rustup >/dev/null; then \
		rustup show active-toolchain >/dev/null 2>&1 || rustup toolchain install || $(CARGO) --version; \
		installed=$$(rustup target list --installed); \
		grep -qx wasm32-unknown-unknown <<<"$$installed" || rustup target add wasm32-unknown-unknown; \
	fi

toolchains: ## Install what makes plugins of JavaScript, TypeScript, Python and C into target/toolchains
	@bash plugins/toolchains.sh "$(TOOLCHAINS)"

plugins: rust ## Build every guest below plugins/ into target/plugins/NAME.wasm
	@bash plugins/build.sh "$(GUESTS)"

build: plugins ## Build the host and the guests, optimised
	$(CARGO) build --release --locked --package hydrant

demo: build ## Send 200,000 shop orders through a plugin into an embedded S3
	@"$(TARGET)/release/hydrant" demo --dir "$(TARGET)/demo"

test: fmt lint unit sdks doc suite ## Everything that must hold before a change is merged

fmt: rust ## Formatting
	$(CARGO) fmt --all --check
	$(GUEST_CARGO) fmt --all --check

lint: rust ## rustc's and clippy's lints, as errors
	$(CARGO) clippy --quiet --locked --workspace --all-targets -- -D warnings
	$(GUEST_CARGO) clippy --quiet --locked --workspace --all-targets -- -D warnings

unit: plugins ## Tests beside the code
	$(CARGO) test --quiet --locked --workspace --lib --bins
	$(GUEST_CARGO) test --quiet --locked --workspace

sdks: toolchains ## The tests of the SDKs and adapters that are not Rust, by their languages' own runners
	@bash plugins/check.sh "$(TOOLCHAINS)"

doc: rust ## Documentation builds without a broken link
	RUSTDOCFLAGS="-D warnings" $(CARGO) doc --quiet --locked --workspace --no-deps

suite: plugins toolchains ## Tests of the built binary, with real peers, and the repository's own rules
	$(CARGO) build --quiet --locked --package hydrant --bin hydrant
	$(CARGO) test --locked --workspace --test suite

deny: rust ## Licences, advisories, bans and sources with cargo-deny, which is installed below target/ when missing
	@deny="$(TARGET)/tools/bin/cargo-deny"; \
	[ -x "$$deny" ] || $(CARGO) install --quiet --locked --root "$(TARGET)/tools" cargo-deny@$(CARGO_DENY); \
	"$$deny" --locked check

bench: plugins ## The table of figures; RUNS=n takes the median of n runs
	$(CARGO) build --release --locked --package hydrant --package hydrant-tests
	"$(TARGET)/release/hydrant-bench" --runs $(RUNS)

bench-plugins: plugins toolchains ## What a record costs in each language, how late a deadline is, what 1,000 plugins take
	$(CARGO) build --release --locked --package hydrant --package hydrant-tests
	$(CARGO) bench --quiet --locked --package hydrant --bench plugin
	$(CARGO) bench --quiet --locked --package hydrant --bench deadline
	"$(TARGET)/release/hydrant-bench" --only crowd
	python3 plugins/bench.py "$(TARGET)/release/hydrant" "$(TOOLCHAINS)" "$(GUESTS)"

crash: plugins ## CYCLES=n kills, and POWER_CYCLES=n power cuts where root allows, for every kind of destination, then the conservation check
	$(CARGO) build --quiet --locked --package hydrant --bin hydrant
	HYDRANT_CRASH_CYCLES=$(CYCLES) HYDRANT_POWER_CYCLES=$(POWER_CYCLES) \
		$(CARGO) test --locked --workspace --test suite -- --nocapture --test-threads 1 crash:: power_cut::

RELOADS ?= 10000
.PHONY: reloads
reloads: plugins ## RELOADS=n replacements of a plugin under load, what each takes, and the conservation check
	$(CARGO) build --quiet --locked --package hydrant --bin hydrant
	HYDRANT_RELOADS=$(RELOADS) \
		$(CARGO) test --locked --workspace --test suite -- --nocapture --test-threads 1 trials::reloads

.PHONY: opensearch redshift
opensearch: rust ## An OpenSearch node on 127.0.0.1:9200 until Ctrl-C, for examples/03-logs-to-opensearch
	@$(CARGO) build --quiet --release --locked --package hydrant-tests --bin hydrant-peers
	@"$(TARGET)/release/hydrant-peers" opensearch --listen 127.0.0.1:9200

redshift: rust ## What stands in for Redshift on 127.0.0.1:5439 until Ctrl-C, for examples/04-orders-to-redshift
	@$(CARGO) build --quiet --release --locked --package hydrant-tests --bin hydrant-peers
	@"$(TARGET)/release/hydrant-peers" redshift --listen 127.0.0.1:5439 --s3 127.0.0.1:4574 --s3-credentials examples/04-orders-to-redshift/data/s3/.hydrant/credentials

clean-peers: ## Forget the peers that the tests fetched
	rm -rf "$(TARGET)/peers"

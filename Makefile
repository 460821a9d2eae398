# One command for everything. `make run` and `make test` install what is missing.

SHELL := /bin/bash
CARGO ?= cargo
# Everything that listens or calls does so in a network namespace of its own, with nothing but loopback.
NAMESPACE := unshare --user --map-root-user --net -- .ci/in-namespace
# A namespace of users may load no BPF program, which one of the media drivers does. Whoever may do without gets none.
PRIVILEGED = $(shell unshare --net -- true 2>/dev/null && echo "unshare --net -- .ci/in-namespace" || echo "$(NAMESPACE)")
# The generator on one core, what it measures on another.
BENCH = $(PRIVILEGED) taskset --cpu-list 0 target/release/bench

.PHONY: run demo test check fmt clippy doc deny fuzz-check interop shards bench load kill fuzz release

run: ## The gateway on its embedded example configuration.
	.ci/setup run
	$(CARGO) run --bin voice-connector -- run

demo: ## Gateway, PBX and carrier in one process, placing calls.
	.ci/setup run
	$(CARGO) run --bin voice-connector -- demo

test: ## All that CI checks; ends in the test runner's summary.
	.ci/setup test
	$(MAKE) --no-print-directory check
	$(CARGO) build --workspace --all-targets
	$(CARGO) test --workspace --offline --test media_worker -- --nocapture by_sk_lookup by_kernel # makes a namespace of its own, or says why not
	$(CARGO) test --package fastpath --offline by_kernel -- --nocapture # or says why not
	$(NAMESPACE) $(CARGO) test --package gateway --offline --features otel --test daemon -- traces
	$(NAMESPACE) .ci/tests

interop: ## The part of the tests that calls through the gateway with SIPp and baresip.
	.ci/setup test
	$(CARGO) test --package gateway --no-run --test 'interop_*'
	$(NAMESPACE) $(CARGO) test --package gateway --offline --test 'interop_*'

shards: ## The tests that run the daemon, with 1, 2 and 4 signalling threads.
	.ci/setup test
	$(CARGO) test --package gateway --no-run --test '*'
	for shards in 1 2 4; do \
	    VOICE_CONNECTOR_SHARDS=$$shards $(NAMESPACE) $(CARGO) test --package gateway --offline --no-fail-fast --test '*' \
	        || exit 1; \
	done

check: fmt clippy doc deny fuzz-check

fmt:
	$(CARGO) fmt --all --check

clippy:
	$(CARGO) clippy --workspace --all-targets -- -D warnings
	$(CARGO) clippy --package gateway --all-targets --features otel -- -D warnings # what a plain build leaves out

doc:
	RUSTDOCFLAGS="-D warnings" $(CARGO) doc --workspace --no-deps --document-private-items

deny: ## The advisory database needs a network that CI does not have: said, not skipped in silence.
	$(CARGO) fetch --locked # also what other systems would build
	$(CARGO) deny --offline check bans licenses sources
	@echo "cargo deny: advisories NOT checked (their database is not fetched here)"

bench: ## CPU of a packet and of a call, memory of a held call, beside a bare forwarder. AGAINST=FILE: and another build. PEERS=1: and Kamailio, rtpengine.
	.ci/setup $(if $(PEERS),peers,bench)
	$(CARGO) build --release --package gateway --package benches --bins
	$(BENCH) $(or $(PART),all) $(if $(AGAINST),--against $(AGAINST)) $(if $(PEERS),--peers)

load: ## 2,000 calls up and down three times, then 1,000 relayed for a minute: nothing left, nothing lost.
	.ci/setup test
	$(CARGO) build --release --package gateway --package benches --bins
	$(CARGO) build --package gateway --bins --test load
	VOICE_CONNECTOR_LOAD_CALLS=2000 $(NAMESPACE) $(CARGO) test --package gateway --offline --test load -- --nocapture
	$(BENCH) hold

kill: ## The gateway killed KILLS times (50) under load, at the moments of SEED: what was answered and what is on record, held against each other.
	.ci/setup test
	$(CARGO) build --package gateway --bins --test killed_under_load
	VOICE_CONNECTOR_KILLS=$(or $(KILLS),50) SEED=$(or $(SEED),1) $(NAMESPACE) $(CARGO) test --package gateway --offline --test killed_under_load -- --nocapture

release: ## Package, static programs, images, man pages, completions, licences, bill of materials, guide; the package is called through.
	.ci/setup release
	.ci/release

fuzz-check: ## Fuzz targets compile; libFuzzer's instrumentation needs unstable flags.
	cd fuzz && RUSTC_BOOTSTRAP=1 $(CARGO) check --locked

fuzz: ## make fuzz TARGET=sip_message [SECONDS=60]
	RUSTC_BOOTSTRAP=1 $(CARGO) fuzz run $(TARGET) -- -max_total_time=$(or $(SECONDS),60)

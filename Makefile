# docktor's tasks. `make` alone lists them.

SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help

# The one feature set that checks and tests use; a plain build has all of it but `testing`.
FEATURES := --features testing
CARGO_VERSION := 1.95
TESTBED := tests/testbed
SECONDS := 60
TARGET := policy_and_trace
PREFIX := /usr/local
PROGRAMS := target/release
# A package puts its rule into /usr/share/polkit-1/rules.d; what a host's administrator installs belongs here.
POLKIT_RULES := /etc/polkit-1/rules.d
COMPLETIONS := share/bash-completion/completions share/zsh/site-functions share/fish/vendor_completions.d
TO = $(DESTDIR)$(PREFIX)
WITH_ENGINE = settings=$$($(TESTBED)/docker-up) && eval "$$settings" && $(TESTBED)/images
GENERATED := manifests examples/traces
SCRIPTS := .ci/run tests/fuzz/run tests/bench/units examples/web/demo examples/web/image docs/images/make \
	$(addprefix $(TESTBED)/,setup docker-up docker-down engine images vm systemd-tests lib.sh services/up services/down services/lib.sh)

##@ Use
.PHONY: help
help: ## list what can be made
	@awk -F ':.*## ' '/^##@/ { print "\n" substr($$0, 5) } /^[a-z-]+:.*## / { printf "  make %-16s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

.PHONY: setup
setup: ## install what is missing to build and test
	@$(TESTBED)/setup $(CARGO_VERSION)

.PHONY: demo
demo: ## watch a Compose service scale itself under load (two minutes; needs Docker, or root on Debian)
	@examples/web/demo

.PHONY: build
build: ## build docktor and docktorctl for release
	cargo build --release --locked

.PHONY: install
install: ## install what build made, below $(DESTDIR)$(PREFIX): programs, completions, and systemd's units, user and rule
	@test -x $(PROGRAMS)/docktor -a -x $(PROGRAMS)/docktorctl || { echo "there are no programs in $(PROGRAMS): run make build first"; exit 1; }
	install -d $(addprefix $(TO)/,bin $(COMPLETIONS) $(addprefix lib/,systemd/system systemd/user sysusers.d tmpfiles.d)) $(DESTDIR)$(POLKIT_RULES)
	install -m 755 $(addprefix $(PROGRAMS)/,docktor docktorctl) $(TO)/bin
	for program in docktor docktorctl; do \
	  $(PROGRAMS)/$$program completion bash >$(TO)/share/bash-completion/completions/$$program; \
	  $(PROGRAMS)/$$program completion zsh >$(TO)/share/zsh/site-functions/_$$program; \
	  $(PROGRAMS)/$$program completion fish >$(TO)/share/fish/vendor_completions.d/$$program.fish; \
	done
	install -m 644 $(addprefix manifests/systemd/docktor.,service socket) $(TO)/lib/systemd/system
	install -m 644 $(addprefix manifests/systemd/user/docktor.,service socket) $(TO)/lib/systemd/user
	sed -i 's,/usr/bin/,$(PREFIX)/bin/,' $(TO)/lib/systemd/system/docktor.service $(TO)/lib/systemd/user/docktor.service
	install -m 644 manifests/systemd/sysusers.conf $(TO)/lib/sysusers.d/docktor.conf
	install -m 644 manifests/systemd/tmpfiles.conf $(TO)/lib/tmpfiles.d/docktor.conf
	install -m 644 manifests/systemd/49-docktor.rules $(DESTDIR)$(POLKIT_RULES)

##@ Prove
.PHONY: check
check: fmt lint test doc deny generated ## all that a change must pass but the tests on real components

.PHONY: test
test: ## every test that needs no real component
	cargo nextest run --locked $(FEATURES) -E 'not test(/^components::/)'
	cargo test --locked $(FEATURES) --doc --quiet

.PHONY: test-components
test-components: ## tests on real components; brings them up, fails if it cannot
	$(WITH_ENGINE) && cargo nextest run --locked $(FEATURES) -E 'test(/^components::/)'

.PHONY: test-systemd
test-systemd: ## tests on a real systemd, in the testbed's VM; brings it up, fails if it cannot
	$(TESTBED)/systemd-tests --locked $(FEATURES)

.PHONY: bench
bench: ## measure what docktor costs and how fast it is
	$(WITH_ENGINE) && cargo bench --locked $(FEATURES) --bench bench
	PROGRAMS=target/release tests/bench/units

.PHONY: fuzz
fuzz: ## fuzz TARGET (policy_and_trace, decide) for SECONDS, on one core
	tests/fuzz/run $(TARGET) $(SECONDS)

##@ Parts of check
.PHONY: fmt
fmt: ## is the code formatted?
	cargo fmt --check

.PHONY: lint
lint: ## clippy, the build without default features, the fuzz targets, and the shell scripts
	cargo clippy --locked $(FEATURES) --all-targets -- -D warnings
	cargo check --locked --no-default-features --lib --bins
	cargo check --locked --manifest-path tests/fuzz/Cargo.toml --no-default-features --target-dir target
	shellcheck $(SCRIPTS)
	shellcheck -s sh examples/web/app/*

.PHONY: doc
doc: ## does the documentation build?
	RUSTDOCFLAGS='-D warnings' cargo doc --locked $(FEATURES) --no-deps --document-private-items

.PHONY: deny
deny: ## licences, bans and sources of dependencies; advisories where their database can be had
	cargo deny --locked check --hide-inclusion-graph bans licenses sources
	@if timeout 60 cargo deny fetch db >/dev/null 2>&1; then cargo deny --locked check --hide-inclusion-graph advisories; \
	else echo "deny: the advisory database cannot be had here; advisories are NOT checked"; fi

.PHONY: generated
generated: generate ## are the generated files up to date?
	@test -z "$$(git status --porcelain -- $(GENERATED))" || \
	{ git status --short -- $(GENERATED); git --no-pager diff --stat -- $(GENERATED); echo "generated files differ: commit what 'make generate' writes"; exit 1; }

##@ Write
.PHONY: generate
generate: ## write the generated files: manifests/schema, the long traces of examples/traces
	cargo run --quiet --locked $(FEATURES) --bin docktor -- generate-schemas manifests/schema
	examples/traces/generate

.PHONY: clean
clean: ## remove what was built, and private test engines; the shared testbed stays
	cargo clean
	[ "$$(id -u)" != 0 ] || $(TESTBED)/engine purge

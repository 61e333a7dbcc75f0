# `make demo` and `make test` do all set-up themselves on a Debian machine with Node, npm, make and gcc.
export PATH := $(CURDIR)/node_modules/.bin:$(PATH):$(CURDIR)/build/docker-client/usr/bin
SHELL := /bin/sh
# As in bin/berth: what Node has compiled is kept beside the program.
export NODE_COMPILE_CACHE := $(CURDIR)/build/compile-cache

.PHONY: help setup setup-test build check test unit system vm demo bench soak docs clean
.DEFAULT_GOAL := help

help:
	@echo "make demo         set everything up and run the main job for real (KEEP=1 stays up, EDGE=1 on workerd)"
	@echo "make test         set everything up and run every check and test"
	@echo "make check        formatting, lint and types only"
	@echo "make unit|system|vm   one group of tests"
	@echo "make soak         the long campaigns (kill -9 in every operation, losses of power, each defence taken out)"
	@echo "make bench        timings beside dockerd, runc and crun (installs them)"
	@echo "make docs         write the generated pages of docs/ again"

include runner/launcher/launcher.mk runner/image/unpack.mk runner/archive/files.mk runner/init/init.mk

setup:
	@scripts/setup.sh build

setup-test:
	@scripts/setup.sh test

# The C programs need the packages first, whoever asks for them.
$(C_BINARIES): | setup

build: setup $(C_BINARIES)

check: setup
	@oxfmt --check .
	@oxlint --type-aware --deny-warnings
	@tsc --noEmit

unit: setup-test build
	@vitest run --project unit

system: setup-test build
	@vitest run --project system

vm: setup-test build
	@test/vm/build-image.sh
	@vitest run --project vm

test: setup-test build check
	@test/vm/build-image.sh
	@vitest run --project unit
	@vitest run --project system
	@vitest run --project vm

# Long campaigns, not part of `make test`: BERTH_SOAK_KILLS, BERTH_SOAK_SEED, BERTH_POWER_ROUNDS, BERTH_FAULT_ROUNDS and
# BERTH_WEAKENING change them.
soak: setup-test build
	@test/vm/build-image.sh
	@vitest run --project soak
	@BERTH_FAULT_ROUNDS=$${BERTH_FAULT_ROUNDS:-200} vitest run --project system test/faults/engine-kill.test.ts

demo: build
	@node --disable-warning=ExperimentalWarning scripts/demo.ts

bench: build
	@bench/run.sh

docs: setup
	@node --disable-warning=ExperimentalWarning scripts/openapi.ts
	@node --disable-warning=ExperimentalWarning scripts/cli-docs.ts
	@node --disable-warning=ExperimentalWarning scripts/docker-api-docs.ts
	@node --disable-warning=ExperimentalWarning scripts/weakenings-docs.ts

clean:
	rm -rf build

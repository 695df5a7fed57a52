# Kindling. `make help` lists the targets. The programs are built for release with the standard library inside; the Swift
# tests are a debug build, since Swift Testing does not link against the static library.
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.ONESHELL:
.DEFAULT_GOAL := help
.PHONY: help setup packages environments build demo test tests test-full unit conformance conformance-kube fuzz bench fmt check clean

# The toolchain's lld drops what nobody calls once no symbol is exported, folds equal functions, and packs relocations.
LINK := --version-script=$(CURDIR)/etc/build/symbols.map --gc-sections --icf=safe -z pack-relative-relocs
FLAGS := -c release --static-swift-stdlib -Xswiftc -use-ld=lld $(addprefix -Xlinker ,$(LINK))
OUT := .build/release
PYTHON := .build/tools/test/bin/python
DEMO_STATE ?=

help: ## This list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## /\t/' | expand -t 16

packages: ## Install missing Debian packages (as root), or say which line an administrator has to run
	@etc/setup/packages.sh

environments: packages ## Prepare the Python environments of the shipped images
	@etc/setup/environments.py

setup: packages ## What `make demo` needs: packages and the small Python environments
	@etc/setup/environments.py trainer python

build: packages ## Build lab, labd and lab-shim into .build/release
	@swift build $(FLAGS) --product lab
	# Not by SwiftPM, which would link Swift's whole runtime into a small C program that is started for every container.
	$(CC) -O2 -Wall -Wextra -o $(OUT)/lab-shim Sources/Shim/*.c
	ln -f $(OUT)/lab $(OUT)/labd

demo: setup build ## Start a lab and run the seed's experiment on real training
	@lab="$(OUT)/lab $(if $(DEMO_STATE),--state $(DEMO_STATE))"
	$$lab up
	$$lab delete experiment random-example -n kubeflow-user-example-com --ignore-not-found >/dev/null
	$$lab run samples/seed/experiment.yaml --watch

test: packages ## Build and run all tests
	@etc/test/all.py $(PYTEST)

tests: packages
	@swift build --build-tests

# One test at a time: many start processes and wait for them, and would starve each other on two cores.
unit: check tests ## Swift tests and the house rules only
	swift test --skip-build --no-parallel

conformance: ## Real clients against the real daemon, as root and as an ordinary user
	@python3 etc/test/tools.py test clients
	$(PYTHON) -m pytest Tests/Conformance Tests/Crash $(PYTEST)

conformance-kube: ## Suites of kubectl, helm and the Python clients of many versions, and their table
	@python3 etc/test/tools.py test clients
	$(PYTHON) -m pytest Tests/Conformance/test_clients.py --full --table -q $(PYTEST)

test-full: ## The same cases with full counts, recorded in etc/test/FULL.md
	@etc/test/full.py

fuzz: build ## Send N hostile requests to the API server: make fuzz N=100000
	@python3 etc/test/tools.py test
	KINDLING_FUZZ_REQUESTS=$(or $(N),10000) $(PYTHON) -m pytest Tests/Conformance/test_fuzz.py -k "test_hostile_requests and not thousand"

bench: build ## Measure, and write etc/bench/RESULTS.md
	@python3 etc/test/tools.py test bench
	.build/tools/bench/bin/python etc/bench/bench.py

fmt: ## Format the Swift sources
	@swift format --in-place --recursive --parallel Sources Tests Package.swift

check: ## Look for what the house rules forbid
	@python3 Tests/tidy/tidy.py

clean: ## Remove what was built
	@rm -rf .build

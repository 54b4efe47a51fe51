# What a newcomer types: `make demo`, `make test`. FLAGS go to what is run, BUILDFLAGS to what builds it:
#   make test FLAGS="--filter SNNFile"      make build BUILDFLAGS="-Xswiftc -warnings-as-errors"
SWIFT ?= swift
FLAGS ?=
BUILDFLAGS ?=
# The package's traits: NIR reads and writes NIR files, through libhdf5; Images reads pictures, through libjpeg and libpng.
TRAITS ?= --traits NIR,Images
# Where the build goes. Another folder keeps a build with other flags from throwing this one away.
BUILD ?= .build
# Where `make install` puts the command.
PREFIX ?= $(HOME)/.local
SOURCES := Package.swift Sources Tests Benchmarks/Package.swift Benchmarks/Sources

.DEFAULT_GOAL := help
.PHONY: help setup build demo install test python reference wheel docs snippets fuzz mutate generate sanitize kernels bench format lint

help: ## list these targets
	@sed -n 's/^\([a-z]*\):[^#]*## \(.*\)/make \1|\2/p' $(MAKEFILE_LIST) | awk -F'|' '{ printf "%-14s%s\n", $$1, $$2 }'

setup: ## install what the build needs and this machine lacks
	@Scripts/setup

build: setup ## build the library and the command, optimised
	@$(SWIFT) build -c release --scratch-path $(BUILD) $(TRAITS) $(BUILDFLAGS)

demo: setup ## convert the bundled network, show its accuracy over time steps
	@$(SWIFT) build -c release --scratch-path $(BUILD) $(TRAITS) --product spikelet $(BUILDFLAGS)
	@$(BUILD)/release/spikelet demo $(FLAGS)

install: setup ## build, and copy the command into PREFIX/bin (~/.local/bin)
	@$(SWIFT) build -c release --scratch-path $(BUILD) $(TRAITS) --product spikelet $(BUILDFLAGS)
	@mkdir -p "$(PREFIX)/bin" && cp $(BUILD)/release/spikelet "$(PREFIX)/bin/"
	@echo "installed: $(PREFIX)/bin/spikelet"

docs: build ## build the library's documentation
	@Scripts/docs --build $(BUILD)/release

snippets: ## gather the Swift of the documentation into the program that a test runs
	@SPIKELET_WRITE_SNIPPETS=1 $(MAKE) test FLAGS="--filter SnippetTests"

test: setup ## build and run all tests, optimised (only failures are shown; with FLAGS, such as --filter, Swift's alone)
	@{ command -v chromium || command -v chromium-browser || command -v google-chrome || ls -d /Applications/*Chrom*.app; } >/dev/null 2>&1 || \
		echo "note: no Chromium here, so no test opens the pages in a browser; Scripts/setup --browser installs it"
	@$(SWIFT) build -c release --scratch-path $(BUILD) $(TRAITS) --build-tests $(BUILDFLAGS)
	@$(SWIFT) test -c release --scratch-path $(BUILD) $(TRAITS) --skip-build --disable-xctest --quiet $(BUILDFLAGS) $(FLAGS)
	@$(if $(FLAGS),,$(MAKE) --no-print-directory python)

# An environment with what Python/requirements-test.txt names, or else with the system's own; and PyTorch, where it can be had.
PYTHON_ENVIRONMENT := $(BUILD)/python-venv
PYTHON_INSTALL := $(PYTHON_ENVIRONMENT)/bin/pip install --quiet --disable-pip-version-check -r

$(PYTHON_ENVIRONMENT)/made: Python/requirements-test.txt Python/requirements-torch.txt
	@Scripts/setup --python
	@python3 -m venv --clear --system-site-packages $(PYTHON_ENVIRONMENT)
	@$(PYTHON_INSTALL) Python/requirements-test.txt || echo "note: pip cannot install here, so the system's pytest and NumPy are used"
	@$(PYTHON_INSTALL) Python/requirements-torch.txt || \
		echo "note: PyTorch cannot be had here, so the tests that need it are skipped"
	@touch $@

python: setup $(PYTHON_ENVIRONMENT)/made ## build the C interface, and run the Python package's tests with it
	@$(SWIFT) build -c release --scratch-path $(BUILD) $(TRAITS) --product spikelet_c $(BUILDFLAGS)
	@$(SWIFT) build -c release --scratch-path $(BUILD) $(TRAITS) --product spikelet $(BUILDFLAGS)
	@SPIKELET_LIBRARY=$$(ls $(abspath $(BUILD))/release/libspikelet_c.so $(abspath $(BUILD))/release/libspikelet_c.dylib 2>/dev/null | head -1) PYTHONPATH=Python \
		$(PYTHON_ENVIRONMENT)/bin/python -m pytest -q -p no:cacheprovider Python $(FLAGS)

reference: $(PYTHON_ENVIRONMENT)/made ## make Documentation/Python.md of the Python package's docstrings
	@$(PYTHON_ENVIRONMENT)/bin/python Python/reference.py

# auditwheel puts Swift's runtime and the libraries into the wheel; macOS has the runtime itself. The tests run without Swift's paths.
wheel: setup $(PYTHON_ENVIRONMENT)/made ## make a wheel of the Python package that needs no Swift, and test it in a fresh environment
	@$(SWIFT) build -c release --scratch-path $(BUILD) $(TRAITS) --product spikelet_c $(BUILDFLAGS)
	@$(SWIFT) build -c release --scratch-path $(BUILD) $(TRAITS) --product spikelet $(BUILDFLAGS)
	@Python/make-wheel $(BUILD) $(PYTHON_ENVIRONMENT)

fuzz: setup ## feed the importer changed models for ten minutes, from a new seed (SPIKELET_FUZZ_SEED=n: from that)
	@$(SWIFT) build -c release --scratch-path $(BUILD) $(TRAITS) --build-tests $(BUILDFLAGS)
	@SPIKELET_FUZZ_SECONDS=$${SPIKELET_FUZZ_SECONDS:-600} SPIKELET_FUZZ_SEED=$${SPIKELET_FUZZ_SEED:-$$(date +%s)} \
		$(SWIFT) test -c release --scratch-path $(BUILD) $(TRAITS) --skip-build --disable-xctest $(BUILDFLAGS) --filter FuzzTests

mutate: setup ## read ten thousand damaged NIR files (SPIKELET_MUTATIONS=n: so many), and say what came of them
	@$(SWIFT) build -c release --scratch-path $(BUILD) $(TRAITS) --build-tests $(BUILDFLAGS)
	@SPIKELET_MUTATIONS=$${SPIKELET_MUTATIONS:-10000} $(SWIFT) test -c release --scratch-path $(BUILD) $(TRAITS) --skip-build \
		--disable-xctest $(BUILDFLAGS) --filter NIRFileTests

# PYTHON: a Python that has what Tools/Generate/requirements.txt names; without it, an environment in the build folder.
GENERATE_ENVIRONMENT := $(BUILD)/generate-venv

$(GENERATE_ENVIRONMENT)/made: Tools/Generate/requirements.txt
	@python3 -m venv $(GENERATE_ENVIRONMENT)
	@$(GENERATE_ENVIRONMENT)/bin/pip install --quiet -r Tools/Generate/requirements.txt && touch $@

generate: setup $(if $(PYTHON),,$(GENERATE_ENVIRONMENT)/made) ## judge random networks by other programs for ten minutes (SPIKELET_GENERATE_SECONDS, SPIKELET_GENERATE_SEED)
	@$(SWIFT) build -c release --scratch-path $(BUILD) $(TRAITS) --product spikelet $(BUILDFLAGS)
	@$(or $(PYTHON),$(GENERATE_ENVIRONMENT)/bin/python) Tools/Generate/generate.py --spikelet $(BUILD)/release/spikelet --keep $(BUILD)/generated-failures \
		--seconds $${SPIKELET_GENERATE_SECONDS:-600} --seed $${SPIKELET_GENERATE_SEED:-$$(date +%s)} $(FLAGS)

# A build folder of its own: every object is another. Swift's own memory is not asked for leaks.
SANITIZED := -c release --scratch-path .build-sanitize $(TRAITS) --sanitize address -Xcc -fsanitize=undefined \
	-Xcc -fno-sanitize-recover=undefined

sanitize: setup ## run the tests of the engine, its largest networks among them, and of the C interface with AddressSanitizer (and UBSan in C)
	@$(SWIFT) build $(SANITIZED) --build-tests $(BUILDFLAGS)
	@ASAN_OPTIONS=detect_leaks=0 $(SWIFT) test $(SANITIZED) --skip-build --disable-xctest --quiet $(BUILDFLAGS) \
		$(or $(FLAGS),--filter '^(SpikeRuntimeTests|CSpikeKernelsTests|SpikeDoorTests)\.')

kernels: ## compare the C kernels of all instruction sets, under sanitizers (Scripts/setup --kernels: arm64's under qemu too)
	@Tools/check-kernels

bench: setup ## measure the engine's kernels (FLAGS go to `spikelet kernels --measure`)
	@$(SWIFT) build -c release --scratch-path $(BUILD) $(TRAITS) --product spikelet $(BUILDFLAGS)
	@$(BUILD)/release/spikelet kernels --measure $(FLAGS)

format: ## lay out all Swift code as the project does
	@$(SWIFT) format format --in-place --parallel --recursive $(SOURCES)

lint: ## check the layout of all Swift code
	@$(SWIFT) format lint --strict --parallel --recursive $(SOURCES)

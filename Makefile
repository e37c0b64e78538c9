# `make demo` shows everything on real EEG, `make test` passes the tests. Both install into an environment of their own.

PYTHON ?= python3
VENV ?= .venv
BIN = $(abspath $(VENV))/bin
# Verilator's build of a model calls perl, make, g++ and `python`; the last one is the environment's.
RUN = PATH="$(BIN):$$PATH"
INSTALL = $(RUN) PIP_DISABLE_PIP_VERSION_CHECK=1 "$(BIN)/python" -m pip install -q -c constraints.txt
# What pip can't bring: program=Debian package.
DEMO_NEEDS = g++=g++ perl=perl
TEST_NEEDS = $(DEMO_NEEDS) iverilog=iverilog git=git

.PHONY: demo test system-demo system-test clean

demo: system-demo $(VENV)/.demo
	$(RUN) mubinn demo

test: system-test $(VENV)/.test
	$(RUN) python -m ruff check .
	$(RUN) python -m pytest

$(VENV)/.python:
	$(PYTHON) -m venv "$(VENV)"
	@touch "$@"

$(VENV)/.demo: $(VENV)/.python pyproject.toml constraints.txt
	$(INSTALL) -e '.[sim,fpga,report]'
	@touch "$@"

$(VENV)/.test: $(VENV)/.python pyproject.toml constraints.txt
	$(INSTALL) -e '.[train,import,mne,sim,fpga,report,dev]'
	@touch "$@"

system-demo: NEEDS = $(DEMO_NEEDS)
system-test: NEEDS = $(TEST_NEEDS)
system-demo system-test:
	@missing=""; for need in $(NEEDS); do \
	    command -v "$${need%%=*}" >/dev/null 2>&1 || missing="$$missing $${need#*=}"; \
	done; \
	if [ -z "$$missing" ]; then exit 0; fi; \
	if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null 2>&1; then \
	    echo "installing$$missing"; \
	    apt-get -qq update && \
	    DEBIAN_FRONTEND=noninteractive apt-get -qq install -y --no-install-recommends $$missing >/dev/null; \
	else \
	    echo "missing programs, install them first: sudo apt-get install$$missing" >&2; exit 1; \
	fi

clean:
	rm -rf out "$(VENV)"

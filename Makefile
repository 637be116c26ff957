# Two commands: `make run` and `make test`. Everything they need goes into .venv, from hashed pins, by Python's own pip.

SHELL := /bin/bash
MAKEFLAGS += --no-print-directory
export PIP_DISABLE_PIP_VERSION_CHECK := 1

# The first Python of 3.11 or newer that really runs (a version manager's shim may not). PYTHON=... chooses another.
PYTHON ?= $(shell for name in python3.11 python3.12 python3.13 python3.14 python3; do \
	"$$name" -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo "$$name" && break; done)
BIN := .venv/bin
TESTS ?= tests
WORKERS ?= logical

.PHONY: run test test-clients test-external fuzz kill-storm soak isolation figures enumeration login-storm aid-reads bench-home bench-dashboards bench-tracing planted-faults contact-sheet check bench bench-scale bench-workers clean requirements install-% has-python

run: install-runtime ## PostgreSQL, Valkey, sandboxes, worker and API on this machine; Ctrl-C ends it all
	@exec $(BIN)/loket run

test: install-test ## every test, against servers of its own
	@$(BIN)/python -m pytest -n $(WORKERS) $(TESTS) || $(BIN)/python -m tests.second_try

test-clients: install-test ## clients made from the OpenAPI document, and OpenID libraries, of other languages; needs Node.js and npm
	@$(BIN)/python -m pytest -m clients tests/contract

test-external: install-test ## much of the suite on servers as a city has them: PostgreSQL 15 and Redis of Debian, over TCP
	@$(BIN)/python -m tests.external

fuzz: install-test ## schemathesis at length: a hundred examples an operation, other ones every time
	@LOKET_FUZZ_EXAMPLES=$${LOKET_FUZZ_EXAMPLES:-100} $(BIN)/python -m pytest -q tests/contract/test_schemathesis.py

kill-storm: install-test ## 20,000 cases while PostgreSQL, Valkey, workers and APIs are killed every 1 to 5 s; SEED=n
	@$(BIN)/python -m tests.chaos --cases $${CASES:-20000} --seed $${SEED:-1}

soak: install-test ## 45 minutes of kills, pauses, bad networks and a failing agency; SEED=n
	@$(BIN)/python -m tests.chaos --cases 60000 --minutes $${MINUTES:-45} --wild --at-once 8 --seed $${SEED:-1}

isolation: install-test ## one agency of three hangs for five minutes: what becomes of the others; SECONDS_EACH=n
	@$(BIN)/python -m tests.chaos.isolation --seconds $${SECONDS_EACH:-300} --rate $${RATE:-100}

figures: install-test ## what is small in `make test`, at the size that is asked for; about 40 minutes; FAULTS="F07 prompt"
	@$(BIN)/python -m tests.full_size $(FAULTS)

enumeration: install-bench ## can one learn whose NIK has an account? 2,000 questions of each kind at each door; SAMPLES=n
	@$(BIN)/python -m bench.enumeration --samples $${SAMPLES:-2000}

login-storm: install-bench ## what other requests feel of 50 logins a second
	@$(BIN)/python -m bench.login_storm

contact-sheet: install-test ## every page of officers, by role, language, size and light, photographed into .contact-sheet/; ALL=--all
	@$(BIN)/python -m tests.sheet --cases $${CASES:-3000} $(ALL)

aid-reads: install-bench ## what a household receives, of 10,000 households: warm, and with the agency down; takes six minutes
	@$(BIN)/python -m bench.aid_reads --households $${HOUSEHOLDS:-10000}

bench-home: install-bench ## GET /v1/home with six sources of 5 ms each: how much longer it takes than one of them; half a minute
	@$(BIN)/python -m bench.home --seconds $${SECONDS_EACH:-10}

bench-dashboards: install-bench ## every officers' page with many cases while citizens ask, and an export's memory; CASES=n FOLDER=kept
	@$(BIN)/python -m bench.dashboards --cases $${CASES:-1000000} $${FOLDER:+--folder $$FOLDER}

bench-tracing: install-bench ## what traces cost a request: off, one in a hundred, all of them; ROUNDS=n
	@$(BIN)/python -m bench.tracing --rounds $${ROUNDS:-5}

planted-faults: install-test ## each planted fault in a copy of the tree: its test must fail; takes about half an hour
	@$(BIN)/python -m tests.planted

check: install-test ## format, lint, types, imports, dependencies, and what must never be committed
	@$(BIN)/python tests/checks.py

bench: install-bench ## our figures beside the yardsticks, in one run
	@$(BIN)/python -m bench

bench-scale: install-bench ## a citizen's requests with a million cases in the database beside the same with 10,000; CASES=n
	@$(BIN)/python -m bench.scale --cases $${CASES:-1000000}

bench-workers: install-bench ## how many times the requests of one worker two can answer; ROUNDS=n
	@$(BIN)/python -m bench.workers --rounds $${ROUNDS:-5}

clean: ## everything made here, but not .loket, which holds your data
	rm -rf .venv .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis .coverage* .clients

requirements: install-bench ## resolve requirements/*.in into pins with hashes; all three agree
	@cd requirements && for set in "bench" "test -c bench.txt" "runtime -c bench.txt"; do \
		name=$${set%% *}; constraint=$${set#$$name}; echo "requirements/$$name.txt"; \
		../$(BIN)/uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-header --no-annotate \
			$$name.in $$constraint -o $$name.txt || exit 1; done

install-%: has-python
	@"$(PYTHON)" requirements/install.py $*

has-python:
	@if [ -z "$(PYTHON)" ]; then \
		echo "Satu Loket needs Python 3.11 or newer with its venv module, and found none."; \
		echo "On Debian and Ubuntu: apt install python3 python3-venv. Or name one: make PYTHON=/path/to/python run"; exit 1; fi

# Two commands do it all on a fresh machine: `make run` and `make test`.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
# Tests wait for servers half of the time, so there are twice as many processes as cores.
WORKERS ?= $(shell cores=$$(nproc 2>/dev/null) && echo $$(( cores * 2 )) || echo auto)
SWIFT ?= yes
PORT ?= 8000
SECONDS ?= 60
ROUNDS ?= 50
FUZZED := wire tokens framing mail html search jmap
# An environment that was only half made would be taken for a whole one the next time.
MAKE_VENV = $(PYTHON) -c 'import sys; sys.version_info >= (3, 11) or sys.exit("Casella needs Python 3.11 or later, and $(PYTHON) is " + sys.version.split()[0] + ". Name another: PYTHON=python3.12")' \
	&& { $(PYTHON) -m venv $(VENV) || { rm -rf $(VENV); exit 1; }; }
NODE_BIN := PATH=$(BIN):$$PATH openapi/node_modules/.bin
# Tests start some hundred processes, which would all compile the service again.
unexport PYTHONDONTWRITEBYTECODE
export REDOCLY_TELEMETRY = off
export REDOCLY_SUPPRESS_UPDATE_NOTICE = true

.DEFAULT_GOAL := help
.PHONY: help run test check format openapi bench contract sdks imports fuzz growth pressure listeners chart cluster image drill soak turns tokens hostile servers watchers nightly cases requirements system clean web

help:  ## Say what there is.
	@sed -n 's/^\([a-z]*\):.*##/  make \1	/p' $(MAKEFILE_LIST) | expand -t 24

run: $(VENV)/run  ## Serve an embedded demo mailbox on http://127.0.0.1:8000 (PORT=9000, ARGS=--live).
	@$(BIN)/python -m service demo --port $(PORT) $(ARGS)

test: system $(VENV)/dev  ## Run every test, on a real Dovecot too (Debian packages are installed where root runs it).
	@rm -f build/again.xml
	$(BIN)/python -m pytest -n $(WORKERS) --junitxml build/tests.xml $(ARGS)$(if $(ARGS),, || { [ $$? = 1 ] && $(BIN)/python -m tests.again; })
	$(if $(ARGS),,$(BIN)/python -m tests.cases build/tests.xml build/again.xml)

check: $(VENV)/dev  ## Lint, types, import rules, English, no dangerous call and no secret; the contract equal to the app's, and nothing broken in it.
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/bandit -q -ll -r service
	git ls-files -z ':!requirements*' | xargs -0 $(BIN)/detect-secrets-hook --disable-plugin Base64HighEntropyString --disable-plugin KeywordDetector
	$(BIN)/python -m service openapi | diff -u openapi/openapi.json -
	$(BIN)/specshift diff --fail-on warning openapi/released.json openapi/openapi.json > /dev/null || { $(BIN)/specshift diff openapi/released.json openapi/openapi.json; exit 1; }
	$(BIN)/python -m openapi.reference | diff -u docs/reference.md -
	$(BIN)/python -m tests.english

openapi: $(VENV)/dev  ## Write the contract, and the reference made of it.
	$(BIN)/python -m service openapi > openapi/openapi.json
	$(BIN)/python -m openapi.reference > docs/reference.md

cases: $(VENV)/dev  ## Write the table of fault cases and the tests that hold them.
	$(BIN)/python -m tests.cases

bench: system $(VENV)/dev  ## Time framing, parsing and decoding in this process, then the service under load.
	$(BIN)/python -m pytest tests/bench -o python_files="bench_*.py" -o addopts= --benchmark-only
	$(BIN)/python -m tests.bench.load $(ARGS)

growth: system $(VENV)/dev  ## How cost grows with mailboxes and accounts (ten minutes).
	$(BIN)/python -m tests.bench.load --grow $(ARGS)

pressure: system $(VENV)/dev  ## What a part of 1 GB, 200 slow readers and messages of 25 MB cost.
	$(BIN)/python -m tests.bench.pressure $(ARGS)

listeners: system $(VENV)/dev  ## How soon events come, and what eight thousand idle listeners cost (five minutes).
	$(BIN)/python -m tests.bench.listeners $(ARGS)

imports: system $(VENV)/dev  ## Ten thousand messages from each kind of mailbox, killed twenty times on the way; then beside mbsync (ten minutes).
	@.ci/system packages-imports
	$(BIN)/python -m tests.transfer $(ARGS)
	$(BIN)/python -m tests.bench.imports

fuzz: $(FUZZED:%=fuzz-%) fuzz-contract  ## Make up octets, mail, searches and requests, 60 s of each (SECONDS=600 for more; -j 2 for two at a time).

$(FUZZED:%=fuzz-%): fuzz-%: system $(VENV)/fuzz
	$(BIN)/python -m tests.fuzz $* -max_total_time=$(SECONDS) -verbosity=0 -print_final_stats=1 $(if $(SEED),-seed=$(SEED))

fuzz-contract: system $(VENV)/fuzz
	$(BIN)/python -m tests.fuzz.contract --max-time $(SECONDS) $(if $(SEED),--seed $(SEED))

chart: system $(VENV)/deploy  ## Lint chart, Dockerfile and compose file, hold what helm renders against Kubernetes' schemas, and start what compose would.
	$(BIN)/python -m pytest -m deploy tests/deploy $(ARGS)

cluster: $(VENV)/deploy  ## Give the chart to a kube-apiserver, built once of Debian's source; or to a cluster, storing nothing: CONTEXT=NAME.
	$(if $(filter command,$(origin CONTEXT)),,.ci/cluster)
	$(if $(filter command,$(origin CONTEXT)),CASELLA_CONTEXT=$(CONTEXT)) $(BIN)/python -m pytest -m cluster tests/deploy $(ARGS)

contract: $(VENV)/sdks  ## Lint the contract by spectral and redocly.
	$(NODE_BIN)/spectral lint --fail-severity hint -r openapi/spectral.yaml openapi/openapi.json
	$(NODE_BIN)/redocly lint --config openapi/redocly.yaml openapi/openapi.json

sdks: $(VENV)/web  ## Make SDKs in six languages, pack them into build/dist, and run them on a real Dovecot.
	@.ci/system packages-sdks
	@[ "$$(id -u)" -ne 0 ] || [ "$(SWIFT)" = no ] || .ci/servers swift
	BIN=$(BIN) .ci/sdks
	$(BIN)/python -m pytest -m sdks tests/sdks tests/browser/page tests/push $(ARGS)

web: $(VENV)/web  ## Build the page of web/ into service/web/files.
	BIN=$(BIN) BUILD=build/web ONLY=typescript .ci/sdks > /dev/null
	PATH=$(BIN):$$PATH npm run --silent --prefix web types
	PATH=$(BIN):$$PATH npm run --silent --prefix web build

image:  ## Build the image by buildah, on Debian packages alone where BASE names no other image, and start it.
	.ci/image

drill: system $(VENV)/deploy  ## Restart three replicas one by one under load, behind Debian's haproxy: nothing may fail.
	@.ci/system packages-deploy
	$(BIN)/python -m tests.deploy.drill $(ARGS)

soak: SECONDS = 600
soak: system $(VENV)/dev  ## Mixed load with faults for ten minutes; then random work, kills and restarts, 50 rounds of each.
	$(BIN)/python -m tests.soak --seconds $(SECONDS) $(ARGS)
	CASELLA_ROUNDS=$(ROUNDS) $(BIN)/python -m pytest -o log_cli=true --log-cli-level=INFO tests/ops/test_model.py tests/ops/test_kills.py tests/ops/test_upstream_restart.py

turns: SECONDS = 600
turns: system $(VENV)/dev  ## Five hundred accounts in turn, on a cache for a few of them, for ten minutes.
	$(BIN)/python -m tests.soak --seconds $(SECONDS) --accounts 500 --in-turn --faults 0 --cache 300000 --seeded 12 --connections 100 $(ARGS)

tokens: system $(VENV)/dev  ## Mixed requests of sessions by OAuth 2.0 for a minute, while access tokens of five seconds end (two minutes).
	CASELLA_TOKENS=60 $(BIN)/python -m pytest tests/oauth/test_renewal.py

hostile: system $(VENV)/dev  ## Give each hostile answer of a mail server to a service, and measure what others notice (ROUNDS=5).
	$(BIN)/python -m tests.hostile --rounds $(if $(filter file,$(origin ROUNDS)),5,$(ROUNDS)) $(ARGS)
	CASELLA_PUMPS=1 $(BIN)/python -m pytest tests/adapters/imap/wire/test_pumped.py

servers: system $(VENV)/dev  ## The contract suite and more on Cyrus, Courier and Dovecot 2.4, each in a file system of its own (three minutes; root).
	@.ci/servers
	$(BIN)/python -m pytest -m servers -n $(WORKERS) tests/contract tests/others tests/adapters/smtp $(ARGS)

watchers: system $(VENV)/dev  ## Three replicas watch 500 mailboxes; one is killed, one paused for a minute: all mail is told (four minutes).
	$(BIN)/python -m tests.push.watch $(ARGS)

nightly:  ## What takes its time: properties on new examples, fuzzing, other and hostile servers, soaking, growth, pressure, listeners, the image and the drill (three hours).
	CASELLA_EXAMPLES=new $(MAKE) test
	$(MAKE) test ARGS="-m long"
	$(MAKE) fuzz SECONDS=600
	$(MAKE) servers
	$(MAKE) sdks
	$(MAKE) hostile
	$(MAKE) tokens
	$(MAKE) soak
	$(MAKE) turns
	$(MAKE) growth
	$(MAKE) pressure
	$(MAKE) listeners
	$(MAKE) watchers
	$(MAKE) imports
	$(MAKE) image
	$(MAKE) cluster
	$(MAKE) drill

requirements:  ## Pin anew, with hashes and without addresses (needs uv).
	uv pip compile -q --universal --generate-hashes --no-emit-index-url --no-header --extra demo --extra redis --extra oauth --extra discovery --extra push --extra store --extra otel -o requirements.txt pyproject.toml
	uv pip compile -q --universal --generate-hashes --no-emit-index-url --no-header --extra demo --extra redis --extra oauth --extra discovery --extra push --extra store --extra otel --group dev --group bench -c requirements.txt -o requirements-dev.txt pyproject.toml
	uv pip compile -q --universal --generate-hashes --no-emit-index-url --no-header --group deploy -c requirements-dev.txt -o requirements-deploy.txt
	uv pip compile -q --universal --generate-hashes --no-emit-index-url --no-header --group fuzz -c requirements-dev.txt -o requirements-fuzz.txt
	uv pip compile -q --universal --generate-hashes --no-emit-index-url --no-header --group sdks -c requirements-dev.txt -o requirements-sdks.txt

system:  ## Install the Debian packages the tests need, where they are missing.
	@.ci/system

clean:  ## Remove the environment.
	rm -rf $(VENV)

$(VENV)/run: requirements.txt
	@test -x $(BIN)/python || { $(MAKE_VENV); }
	@echo "Installing into $(VENV), once: about half a minute."
	@$(BIN)/python -m pip install -q --disable-pip-version-check --require-hashes -r requirements.txt
	@touch $@

$(VENV)/dev: requirements-dev.txt pyproject.toml
	@test -x $(BIN)/python || { $(MAKE_VENV); }
	@echo "Installing into $(VENV), once: about a minute."
	@$(BIN)/python -m pip install -q --disable-pip-version-check --require-hashes -r requirements-dev.txt
	@$(BIN)/python -m pip install -q --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@ $(VENV)/run

$(VENV)/fuzz: requirements-fuzz.txt $(VENV)/dev
	@$(BIN)/python -m pip install -q --disable-pip-version-check --require-hashes -r requirements-fuzz.txt
	@touch $@

$(VENV)/deploy: requirements-deploy.txt .ci/tools $(VENV)/dev
	@$(BIN)/python -m pip install -q --disable-pip-version-check --require-hashes -r requirements-deploy.txt
	@PYTHON=$(BIN)/python .ci/tools
	@touch $@

$(VENV)/sdks: requirements-sdks.txt openapi/package-lock.json $(VENV)/dev
	@$(BIN)/python -m pip install -q --disable-pip-version-check --require-hashes -r requirements-sdks.txt
	@PATH=$(BIN):$$PATH npm ci --silent --prefix openapi
	@touch $@

$(VENV)/web: web/package-lock.json $(VENV)/sdks
	@PATH=$(BIN):$$PATH npm ci --silent --prefix web
	@touch $@

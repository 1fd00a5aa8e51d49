# Every task of the project, each of them as a person would type it. `make help` lists them.
SHELL := /bin/sh
.DEFAULT_GOAL := help
MAKEFLAGS += --no-builtin-rules
export npm_config_update_notifier := false

# The Node that npm brings (package.json pins it), whatever Node the machine has.
NODE := node_modules/.bin/node
# What Node has compiled once, it need not compile again: half of what a program of ours takes to start.
export NODE_COMPILE_CACHE ?= $(CURDIR)/.cache/node
# npm writes this file after every install.
INSTALLED := node_modules/.package-lock.json

# Where install, run and e2e work; a cluster of your own, or the one that `make sandbox` starts.
KUBECONFIG ?=
WEBHOOK_URL ?=
RELEASE_NAMESPACE ?= tranche-system
PORT ?= 6443
SANDBOX_KUBECONFIG ?= .cache/sandbox.kubeconfig

.PHONY: help
help: ## List the targets
	@awk -v on="$$([ -t 1 ] && printf '\033[36m')" -v off="$$([ -t 1 ] && printf '\033[0m')" \
	  'BEGIN { FS = ":.*## " } /^[a-z0-9-]+:.*## / { printf "  %s%-14s%s %s\n", on, $$1, off, $$2 }' $(MAKEFILE_LIST)

# --- working on the code ---

.PHONY: test
test: $(INSTALLED) ## Lint, type-check and run every test, or some suites: make test [SUITES="unit docs"]
	@SUITES='$(SUITES)' exec $(NODE) tools/test/main.ts

.PHONY: lint
lint: $(INSTALLED) ## Check style and the import arrows
	@npm run --silent lint

.PHONY: typecheck
typecheck: $(INSTALLED) ## Check the types, and the rules that need them: no promise is forgotten
	@npm run --silent typecheck

.PHONY: test-unit
test-unit: $(INSTALLED) ## Run the tests of the rooms only: those of all parts but the ones below
	@npm run --silent test:unit

.PHONY: test-sandbox
test-sandbox: $(INSTALLED) ## Run the tests of the embedded cluster only
	@npm run --silent test:sandbox

.PHONY: test-program
test-program: $(INSTALLED) ## Run the tests of the program and the plugin as a whole only
	@npm run --silent test:program

.PHONY: test-analysis
test-analysis: $(INSTALLED) ## Run the tests of the analysis with Pods that serve and a real Prometheus only
	@npm run --silent test:analysis

.PHONY: test-traffic
test-traffic: $(INSTALLED) ## Run the tests of traffic through real gateways only
	@npm run --silent test:traffic

.PHONY: test-traffic-crash
test-traffic-crash: $(INSTALLED) ## Kill the program after each of its writes while requests go through real gateways
	@npm run --silent test:traffic-crash

.PHONY: test-dashboard
test-dashboard: $(INSTALLED) ## Run the tests of the dashboard in a browser only
	@npm run --silent test:dashboard

.PHONY: test-docs
test-docs: $(INSTALLED) ## Run every command of the documentation only
	@npm run --silent test:docs

.PHONY: test-property
test-property: $(INSTALLED) ## Run the random histories only
	@npm run --silent test:property

.PHONY: test-chaos
test-chaos: $(INSTALLED) ## Run the short form of the faults only
	@npm run --silent test:chaos

# The embedded cluster always: a KUBECONFIG that happens to be set in your shell is never touched by `make test`.
.PHONY: test-e2e
test-e2e: $(INSTALLED) ## Run the acceptance tests only, against the embedded cluster
	@KUBECONFIG= WEBHOOK_URL= npm run --silent test:e2e

.PHONY: soak
soak: $(INSTALLED) ## Run 10,000 random histories, or others: make soak [HISTORIES=N] [SEED=S] [SECONDS=3600] (for leaks: make bench ONLY=soak)
	@TRANCHE_HISTORIES=$(or $(HISTORIES),10000) TRANCHE_SEED=$(or $(SEED),1) TRANCHE_SOAK_SECONDS=$(or $(SECONDS),0) $(NODE) node_modules/.bin/mocha --timeout 0 'test/property/**/*.test.ts'

# By itself, on a machine that does nothing else.
.PHONY: bench
bench: $(INSTALLED) ## Measure, and write docs/reports/performance.md: make bench [ONLY=admission|operator|traffic|analysis|soak] [QUICK=1] [SECONDS=3600] [BIN=PROGRAM] [SRC=CHECKOUT] [ARGO=CHECKOUT] [KRUISE=CHECKOUT]
	@env -u NODE_COMPILE_CACHE ONLY='$(ONLY)' QUICK='$(QUICK)' SECONDS='$(SECONDS)' BIN='$(BIN)' SRC='$(SRC)' ARGO='$(ARGO)' KRUISE='$(KRUISE)' PARTS='$(PARTS)' $(NODE) --disable-warning=ExperimentalWarning tools/bench/main.ts

.PHONY: chaos
chaos: $(INSTALLED) ## Break everything around real processes, and write docs/reports/reliability.md: make chaos [ONLY=FAULT] [RUNS=N] [SEED=S]
	@$(NODE) test/support/tools.ts >/dev/null
	@ONLY='$(ONLY)' RUNS='$(RUNS)' SEED='$(SEED)' exec $(NODE) tools/chaos/main.ts

.PHONY: generate
generate: $(INSTALLED) ## Write the files that are generated from src/ (the chart's CRDs, the embedded cluster's schemas)
	@$(NODE) tools/generate/generate.ts
	@$(NODE) sandbox/src/schema/generate.ts

# Fails when what is generated does not fit what it is generated from.
.PHONY: generated
generated: $(INSTALLED)
	@npm run --silent generated

.PHONY: build
build: $(INSTALLED) ## Compile the program for production into dist/
	@npm run --silent build

.PHONY: dist
dist: $(INSTALLED) ## Build what a release offers into dist/release: make dist [REPOSITORY=OWNER/NAME] [IMAGE=REGISTRY/tranche] [DIGEST=sha256:...]
	@REPOSITORY='$(REPOSITORY)' IMAGE='$(IMAGE)' DIGEST='$(DIGEST)' $(NODE) tools/release/main.ts

.PHONY: docs
docs: .cache/site/bin/mkdocs .cache/site/package/dist/mermaid.min.js ## Build the site of the documentation into dist/site
	@NO_MKDOCS_2_WARNING=1 .cache/site/bin/mkdocs build --strict --quiet

.cache/site/bin/mkdocs: tools/site/requirements.txt
	@command -v python3 >/dev/null || { echo "python3 is not on PATH: install Python 3.10 or newer (https://python.org)." >&2; exit 2; }
	python3 -m venv .cache/site
	.cache/site/bin/pip install --quiet --disable-pip-version-check --requirement tools/site/requirements.txt
	@touch $@

# Draws the diagrams in the browser. Without it, the theme would load it from another host.
MERMAID := mermaid@11.12.1
.cache/site/package/dist/mermaid.min.js: .cache/site/bin/mkdocs
	cd .cache/site && npm pack --silent $(MERMAID) && tar -xzmf mermaid-*.tgz package/dist/mermaid.min.js && rm mermaid-*.tgz

# --- trying it out ---

.PHONY: demo
demo: $(INSTALLED) ## Play the walkthrough: embedded cluster, the program, a real kubectl
	@$(NODE) test/demo/main.ts

.PHONY: demo-analysis
demo-analysis: $(INSTALLED) ## Play releases that look at their own numbers: one goes through, a bad one is stopped and rolled back [SOURCE=kubernetes]
	@SOURCE='$(SOURCE)' $(NODE) test/demo/analysis/main.ts

.PHONY: demo-traffic
demo-traffic: $(INSTALLED) ## Play a release that gets 5 %, 50 % and 100 % of the requests through a real gateway, and a rollback, with no failed request
	@$(NODE) test/demo/traffic/main.ts

.PHONY: demo-dashboard
demo-dashboard: $(INSTALLED) ## Open the dashboard on an embedded cluster where releases go on [ARGS="--no-open"]
	@$(NODE) --disable-warning=ExperimentalWarning test/dashboard/cluster/demo.ts $(ARGS)

.PHONY: sandbox
sandbox: $(INSTALLED) ## Start the embedded cluster: make sandbox [PORT=6443] [SANDBOX_KUBECONFIG=FILE] [ARGS="--ready-ms 1000"]
	@mkdir -p "$$(dirname '$(SANDBOX_KUBECONFIG)')"
	@STARTED_BY=make exec $(NODE) sandbox/src/main.ts --port '$(PORT)' --kubeconfig '$(SANDBOX_KUBECONFIG)' $(ARGS)

# --- on a cluster ---

.PHONY: install
install: $(INSTALLED) ## Install the chart for a program outside the cluster: make install KUBECONFIG=FILE WEBHOOK_URL=https://...
	@KUBECONFIG='$(KUBECONFIG)' WEBHOOK_URL='$(WEBHOOK_URL)' RELEASE_NAMESPACE='$(RELEASE_NAMESPACE)' $(NODE) test/e2e/install.ts

.PHONY: run
run: $(INSTALLED) ## Run the program outside the cluster: make run KUBECONFIG=FILE WEBHOOK_URL=https://... [ARGS="--log-level debug"]
	@KUBECONFIG='$(KUBECONFIG)' WEBHOOK_URL='$(WEBHOOK_URL)' RELEASE_NAMESPACE='$(RELEASE_NAMESPACE)' exec $(NODE) test/e2e/run.ts $(ARGS)

.PHONY: e2e
e2e: $(INSTALLED) ## Run the acceptance tests on a cluster: make e2e KUBECONFIG=FILE WEBHOOK_URL=https://...
	@KUBECONFIG='$(KUBECONFIG)' WEBHOOK_URL='$(WEBHOOK_URL)' $(NODE) node_modules/.bin/mocha --require ./test/e2e/hooks.ts 'test/e2e/*.test.ts'

.PHONY: certs
certs: $(INSTALLED) ## Make a certificate pair for development in certs/: make certs [NAMES="HOST ..."]
	@$(NODE) certs/make.ts

# --- house-keeping ---

# npm ci once per package-lock.json.
$(INSTALLED): package-lock.json
	@command -v npm >/dev/null || { echo "npm is not on PATH: install Node 20 or newer (https://nodejs.org)." >&2; exit 2; }
	npm ci --no-audit --no-fund --loglevel error
	@test -x $(NODE) && touch $@

.PHONY: clean
clean: ## Remove everything that can be made again
	rm -rf node_modules dist .cache coverage

MAKEFLAGS += --no-print-directory
STACK   := python3 deploy/dev/stack.py
VERSION := $(shell git describe --tags --always --dirty 2>/dev/null || echo unknown)
VENV    := $(CURDIR)/.dev/venv/bin
# The race detector needs a C compiler; without one the tests run without it.
RACE    := $(shell command -v $$(go env CC 2>/dev/null || echo gcc) >/dev/null 2>&1 && echo -race)
# By default a program that looks for races sleeps for a second at its end. A test reports its races when it ends.
export GORACE ?= atexit_sleep_ms=0
# Looking for races takes the tests of these packages three to ten times as long, so only `make test` does it, beside tests
# that mostly wait. domain, contract and statistics are functions, Temporal runs the coroutines of a workflow one at a
# time, the tests of activities read long answers, and those of starter are 180 starts of the program.
CALM    := ./activities ./activities/statistics ./domain ./starter ./workflows/...

.DEFAULT_GOAL := help
.PHONY: help build demo up down clean status logs test unit calm shared python integration system live pytest races chaos soak rush bench scaling evidence statistics check fmt histories

help: ## the commands
	@grep -hE '^[a-z]+:.*## ' $(MAKEFILE_LIST) | sort | awk -F ':.*## ' '{printf "  make %-12s %s\n", $$1, $$2}'

build: ## build bin/worker and bin/starter
	go build -ldflags "-X main.version=$(VERSION)" -o bin/ ./worker ./starter

demo: up ## show one deliberation, and one that survives two kills; VLLM_URL=… uses your model server
	@$(VENV)/python deploy/dev/demo.py

up: ## start what is missing of Temporal, NATS, Ray, the Ray app, a model (MODEL=tiny, VLLM_URL=…) and the worker
	@$(STACK) up $(if $(MODEL),--model $(MODEL))

down: ## stop it all; history and events stay for the next up
	@$(STACK) down

clean: ## stop it all and remove its data; tools stay
	@$(STACK) clean

status: ## show what runs
	@$(STACK) status

logs: ## follow the logs; P=worker for one program
	@$(STACK) logs $(P)

unit: ## run all tests that need nothing running, in a minute
	@$(STACK) prepare venv
	@$(MAKE) -j3 -Otarget calm shared python

# `make check` vets everything. Many of these tests wait, so more packages than cores run at a time.
calm:
	go test -vet=off -shuffle=on $(CALM)

shared:
	go test $(RACE) -vet=off -shuffle=on -p 4 -parallel 8 $$(go list ./... | grep -vxF "$$(go list $(CALM))")

python:
	cd deploy/ray && $(VENV)/pytest -q -m "not ray"
	cd deploy/dev && $(VENV)/python -m pytest -q -p no:asyncio tests

test: unit ## run every test, in eight minutes; those of a whole system start Ray, Temporal and NATS of their own, on free ports
	@echo "pytest, system, live and races run side by side, for seven minutes; the output of each comes when it ends"
	@$(MAKE) -j4 -Otarget pytest system live races

# These tests only compute. Those beside them wait for a system, with time limits: nice lets them go first.
races:
	nice -n 15 go test $(RACE) -vet=off -shuffle=on -p 1 $(CALM)

pytest: ## run the Python tests that need a Ray; they start one of their own
	@$(STACK) prepare venv
	cd deploy/ray && $(VENV)/pytest -q -m ray

integration: ## run the Go tests that need a whole stack, on two stacks side by side
	@$(MAKE) -j2 -Otarget system live

# Most of these tests wait, so two stacks side by side take half the time of one. This decides which test of e2e
# runs where.
ASIDE := ^Test(Statistics|ModelCases|Dashboards|TheDeadline)

# The tests of these packages that need a stack; `make unit` has run the others.
STACKED := activities/ray e2e/chaos starter worker
NEEDY    = $(or $(shell grep -lx '//go:build integration' $(STACKED:%=%/*_test.go) | xargs grep -hoE '^func Test\w+' | cut -c6- | paste -sd'|' -),$(error no tests))

system:
	$(STACK) run --home .dev/test --free-ports --without worker -- \
	  go test -tags=integration -count=1 -timeout 35m -skip '$(ASIDE)' ./e2e ./internal/report

live: export DELIBERATION_TEST_TEMPORAL := $(CURDIR)/bin/temporal
live:
	$(STACK) run --home .dev/live --free-ports --without worker -- sh -c '\
	  go test -tags=integration -count=1 -timeout 35m -run "$(ASIDE)" ./e2e; aside=$$?; \
	  DELIBERATION_TEST_RAY_URL=$${DELIBERATION_RAY_CLUSTERS#local=} DELIBERATION_TEST_RAY_TOKEN=$$DELIBERATION_RAY_TOKEN \
	  DELIBERATION_TEST_MODEL_URL=$$DELIBERATION_VLLM_URL \
	  go test -tags=integration -count=1 -timeout 35m -p 1 -parallel 8 -run "^($(NEEDY))$$" $(STACKED:%=./%) && \
	  exit $$aside'

chaos: ## try every fault, on a stack with two Rays, in 20 minutes; SEED=… repeats a run, SLOWER=3 allows more time
	@rm -f .dev/chaos.md
	$(STACK) run --home .dev/chaos --free-ports --with ray2,rayapp2 --without worker -- \
	  go test -tags=integration -count=1 -timeout 40m -parallel 8 -run '^TestChaos' ./e2e/chaos \
	    -matrix -seed $(or $(SEED),0) -slower $(or $(SLOWER),1) -table $(CURDIR)/.dev/chaos.md; \
	  status=$$?; cat .dev/chaos.md; exit $$status

soak: ## keep 200 deliberations in flight for 10 minutes (FOR=…), with random faults; SEED=… repeats a run
	$(STACK) run --home .dev/soak --free-ports --without worker -- \
	  go test -tags=integration -count=1 -timeout 60m -run '^TestSoak' ./e2e/chaos -v -soak $(or $(FOR),10m) -seed $(or $(SEED),0) -slower 1

rush: ## start 10,000 deliberations at once (MANY=…), while the model answers none; half an hour
	$(STACK) run --home .dev/rush --free-ports --without worker -- \
	  go test -tags=integration -count=1 -timeout 90m -run '^TestRush' ./e2e -v -rush $(or $(MANY),10000)

# MODEL names a model of ENDPOINT, or is tiny. Without ENDPOINT, the stand-in answers.
evidence: export VLLM_URL := $(ENDPOINT)
evidence: export VLLM_MODEL := $(filter-out tiny,$(MODEL))
evidence: ## compare one agent, a vote and a council on tasks: ENDPOINT=… [MODEL=…], or MODEL=tiny; TASKS=… of each kind, ORDERS=… tries of each attack
	$(STACK) run --home .dev/evidence --free-ports $(if $(filter tiny,$(MODEL)),--model tiny) -- \
	  go test -tags=integration -count=1 -timeout 24h -v -run '^Test(Evidence|Orders)' ./e2e/evidence \
	    -tasks $(or $(TASKS),25) -agents $(or $(AGENTS),5) -orders $(or $(ORDERS),0) -table $(CURDIR)/.dev/evidence.md

bench: ## measure what deliberations cost, in 20 minutes, and write docs/performance.md; ROWS=… measures some rows and only logs them
	$(STACK) run --home .dev/bench --free-ports --without worker -- \
	  go test -tags=integration -count=1 -timeout 60m -run '^TestBench' ./e2e/bench -v -repeat $(or $(REPEAT),5) \
	    $(if $(ROWS),-rows '$(ROWS)',-docs $(CURDIR)/docs)

scaling: ## measure two workers with two Ray apps next to one of each; docs/scaling.md has the figures
	$(STACK) run --home .dev/bench --free-ports --with ray2,rayapp2 --without worker -- \
	  go test -tags=integration -count=1 -timeout 60m -run '^TestBench' ./e2e/bench -v -repeat $(or $(REPEAT),5) -rows double

statistics: ## compare the statistics of 2,000 deliberations with a count by hand, and time them with 10,000
	$(STACK) run --home .dev/statistics --free-ports --without ray,rayapp,model,nats,worker -- \
	  go test -tags=integration -count=1 -timeout 60m -v -run '^TestStatistics(AgreeWith|TakeNoLonger)' ./e2e \
	    -deliberations 2000 -executions 10000

check: ## run the linters and check replay safety, modules, Python types, alert rules, links and words
	python3 deploy/dev/prose.py
	@$(STACK) prepare venv lint promtool
	bin/tools/golangci-lint run && bin/tools/workflowcheck -test=false -config .workflowcheck.yml ./... && go vet -tags=integration ./... && go mod tidy -diff
	$(VENV)/ruff check deploy && $(VENV)/ruff format --check deploy && cd deploy/ray && $(VENV)/mypy
	bin/promtool check config deploy/prometheus/prometheus.yaml && bin/promtool test rules deploy/prometheus/rules_test.yaml

fmt: ## format Go and Python
	@$(STACK) prepare venv lint
	bin/tools/golangci-lint fmt
	$(VENV)/ruff format deploy && $(VENV)/ruff check --fix deploy

histories: export DELIBERATION_TEST_TEMPORAL := $(CURDIR)/bin/temporal
histories: ## record the workflow histories that `make unit` replays, and their shapes
	@$(STACK) prepare temporal
	go test -tags=integration -count=1 -timeout 20m -parallel 24 -run '^Test(Record|Shape)' ./workflows -update

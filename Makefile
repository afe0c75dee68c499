# `make` alone lists what there is. Everything is installed inside the checkout by tools/setup.
.DEFAULT_GOAL := help
.PHONY: help setup demo serve docs docs-serve unit test e2e cluster cluster-down lint format render images bench soak lock clean clean-data
C2D := .venv/bin/c2d
# Compiled modules are kept, whatever the environment says: tests start hundreds of processes.
export PYTHONDONTWRITEBYTECODE :=
# Tests that run at once: most of them wait for others, so there may be more than cores.
WORKERS ?= 4
SIDE_BY_SIDE = -n $(WORKERS) --dist loadfile --no-loadscope-reorder
# For `make images`. Another base image: make images BASE=registry.example/python@sha256:…
DOCKER ?= docker
BASE ?=
# What `make e2e` runs; for instance E2E="tests/e2e -k stop".
E2E ?= tests/contract tests/e2e
VERSION = $(shell sed -n 's/^version = "\(.*\)"/\1/p' pyproject.toml)
COMPILE = .venv/bin/uv pip compile --universal --generate-hashes --no-annotate --no-header --python-version 3.11 --quiet

help: ## list the commands
	@grep -E '^[a-z0-9-]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 12

setup: ## install everything inside the checkout (done by the others when needed)
	@./tools/setup

demo: setup ## publish two datasets and an algorithm, order them, run a job, show its results
	@$(C2D) demo

serve: setup ## the whole service on this machine, with a development chain
	@$(C2D) serve

unit: setup ## tests without sockets and processes
	@.venv/bin/python -m pytest -n $(WORKERS) --dist worksteal tests/unit

test: setup ## all tests but those that take long, side by side (WORKERS=4)
	@./tools/setup-clients
	@.venv/bin/python -m pytest -m "not soak" $(SIDE_BY_SIDE)

e2e: setup ## end-to-end tests: of a deployment that the environment names, else of `make cluster`, else of this machine
	@./tools/setup-clients oceanjs-3.4.6
	@if [ -z "$(C2D_E2E_URL)" ] && [ -e .cluster/run/ready ]; then .venv/bin/python -m tools.cluster test $(E2E); \
	else .venv/bin/python -m pytest $(E2E); fi

cluster: setup ## a one-node Kubernetes with the product on it, from package registries (root, Linux; docs/reference/cluster.md)
	@.venv/bin/python -m tools.cluster up

cluster-down: ## remove it; what was built for it stays in .cluster
	@test ! -d .cluster || .venv/bin/python -m tools.cluster down

lint: setup ## style, types, layers, rendered files
	@.venv/bin/ruff check .
	@.venv/bin/ruff format --check .
	@.venv/bin/mypy
	@.venv/bin/mypy examples/acro-filter
	@.venv/bin/lint-imports
	@$(C2D) admin templates render --check
	@$(C2D) admin chart render --check
	@$(C2D) admin settings | diff -u docs/reference/settings.md -
	@$(C2D) admin openapi | diff -u docs/reference/openapi.json -
	@$(C2D) schemas | diff -u docs/reference/command-line.json -
	@$(C2D) admin command-line | diff -u docs/reference/command-line.md -
	@$(C2D) try --schema | diff -u docs/reference/try.schema.json -

docs: setup ## the documentation site, into build/site; a broken link or a page that no list has is an error
	@NO_MKDOCS_2_WARNING=1 .venv/bin/mkdocs build --strict --quiet
	@echo "build/site/index.html"

docs-serve: setup ## the same on http://127.0.0.1:8040, built anew when a page changes
	@NO_MKDOCS_2_WARNING=1 .venv/bin/mkdocs serve --dev-addr 127.0.0.1:8040

format: setup ## put the code into shape
	@.venv/bin/ruff check --fix .
	@.venv/bin/ruff format .

render: setup ## render the environments to argo/gitops, the chart's part, pages, the API's description, pictures
	@$(C2D) admin templates render
	@$(C2D) admin chart render
	@$(C2D) admin settings > docs/reference/settings.md
	@$(C2D) admin openapi > docs/reference/openapi.json
	@$(C2D) schemas > docs/reference/command-line.json
	@$(C2D) admin command-line > docs/reference/command-line.md
	@$(C2D) try --schema > docs/reference/try.schema.json
	@.venv/bin/python -m tools.site.pictures

images: ## build c2d-pods and c2d-provider-api (DOCKER=podman, BASE=… as you like)
	@for image in pods provider_api; do \
	  $(DOCKER) build --file $$image/Dockerfile --tag c2d-$$(echo $$image | tr _ -):$(VERSION) \
	    --build-arg VERSION=$(VERSION) $(if $(BASE),--build-arg PYTHON=$(BASE)) . || exit 1; \
	done

bench: setup ## measure, each figure beside what it is compared with
	@.venv/bin/python -m benchmarks

soak: setup ## tests that take long, and `make e2e` where a cluster is up; SIZE=small as in CI, side by side
	@./tools/setup-clients
	@$(if $(SIZE),,C2D_SOAK=1) .venv/bin/python -m pytest -m soak $(if $(SIZE),$(SIDE_BY_SIDE))
	@if [ -z "$(SIZE)" ] && [ -e .cluster/run/ready ]; then C2D_SOAK=1 $(MAKE) e2e; fi

lock: setup ## resolve the dependencies anew
	@$(COMPILE) --all-extras --upgrade pyproject.toml -o requirements.lock
	@$(COMPILE) --constraints requirements.lock pods/requirements.in -o pods/requirements.lock
	@$(COMPILE) --constraints requirements.lock --extra service --extra tracing --extra doctor pyproject.toml -o provider_api/requirements.lock
	@$(COMPILE) --upgrade examples/acro-filter/requirements.in -o examples/acro-filter/requirements.lock

clean: ## remove what was installed; keys, results and the chain under data stay
	@rm -rf .venv .clients tools/node_modules .cluster/kept build

clean-data: ## remove data: keys, jobs, results, the development chain; asks before (SURE=yes does not)
	@test -d data || { echo "there is no folder data"; exit 0; }; \
	if [ "$(SURE)" != yes ]; then \
	  printf '%s' "remove data, with the provider's key, all jobs and results in it? yes or no: "; read -r answer; \
	  [ "$$answer" = yes ] || { echo "kept"; exit 1; }; \
	fi; rm -rf data

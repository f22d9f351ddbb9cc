# Everything a newcomer needs: `make run`, `make test`. `make help` lists the rest.
# One configuration everywhere (release), so that what is tested is what runs and nothing is built twice.

.DEFAULT_GOAL := help
.PHONY: help setup build model run test bench lint demo clean

help: ## List the targets
	@awk 'BEGIN {FS = ":.*## "} /^[a-z]+:.*## / {printf "  make %-7s %s\n", $$1, $$2}' Makefile

setup: ## Name what is missing on this machine and install it
	@Scripts/setup

build: setup ## Build the host and all layers
	@Scripts/build

model: setup ## Fetch and verify the model (98 MB, once)
	@Scripts/fetch-model

run: build model ## Start a node on 127.0.0.1:8080 and print a ready-to-paste curl
	@Scripts/run

test: ## Build and run every test
	@Scripts/test

bench: ## Print one line a figure; ONLY=engine runs a part, JSON=1 prints JSON
	@Scripts/bench

lint: ## Check formatting, headers and scripts
	@Scripts/lint

demo: build model ## Walk through all of it on a scratch node
	@Scripts/demo

clean: ## Remove what was built here (the model and your data stay)
	rm -rf .build .venv

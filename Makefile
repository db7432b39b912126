# Gatehouse. "make help" lists what there is; "make run" shows it at work.

# Any Go from 1.21 on fetches the toolchain that go.mod names by itself.
export GOTOOLCHAIN := auto

VERSION  := $(shell git describe --tags --always --dirty 2>/dev/null || echo unknown)
GOBUILD  := CGO_ENABLED=0 go build -trimpath -buildvcs=false
FUZZTIME ?= 20s
CADDY    := github.com/caddyserver/caddy/v2/cmd/caddy@v2.11.9

.DEFAULT_GOAL := help
.PHONY: help build run test unit check schema bench fuzz clean

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "make %-8s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

build: ## build bin/gatehouse
	$(GOBUILD) -ldflags "-X main.version=$(VERSION)" -o bin/gatehouse ./cmd/gatehouse

run: build ## build, then run the example shop behind the gateway
	$(GOBUILD) -o bin/shop ./examples/shop
	$(GOBUILD) -o bin/shop-services ./examples/shop/services
	@exec bin/shop

test: ## install what is missing, run every test, then the concurrent ones under the race detector
	scripts/setup test
	go test -timeout 15m ./...
	packages=$$(scripts/concurrent) && go test -race -short -timeout 15m $$packages

unit: ## run the tests that need nothing installed
	go test -short -timeout 15m ./...

check: ## formatting, vet, staticcheck, modules, generated files, architecture
	scripts/check

schema: ## write docs/gatehouse.schema.json anew
	mkdir -p bin docs
	go run ./cmd/gatehouse schema > bin/schema.json && mv bin/schema.json docs/gatehouse.schema.json

bench: build .cache/bin/caddy ## measure beside nginx, HAProxy and Caddy; BENCH="-quick" passes flags on
	scripts/setup bench
	$(GOBUILD) -o .cache/bin/bench ./bench
	.cache/bin/bench $(BENCH)

# Built with the toolchain that builds Gatehouse, so that Go itself is no difference.
.cache/bin/caddy:
	CGO_ENABLED=0 GOBIN=$(CURDIR)/.cache/bin GOTOOLCHAIN=$$(go env GOVERSION) go install $(CADDY)

fuzz: ## run every fuzz target for FUZZTIME (20s)
	FUZZTIME=$(FUZZTIME) scripts/fuzz

clean: ## remove what was built, measured and left behind by the example
	rm -rf bin .cache bench/results examples/*/data examples/*/keys

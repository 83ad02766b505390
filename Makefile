PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin

.PHONY: run test format openapi model bench-accuracy bench-matching bench-speed bench-service bench-kill clean

$(BIN)/python:
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Zhixu needs Python 3.11 or newer; set PYTHON=/path/to/python3")'
	$(PYTHON) -m venv $(VENV)

$(VENV)/.core: requirements/core.txt pyproject.toml | $(BIN)/python
	$(BIN)/pip install --quiet --disable-pip-version-check -r requirements/core.txt
	$(BIN)/pip install --quiet --disable-pip-version-check --no-deps --editable .
	touch $@

$(VENV)/.dev: requirements/dev.txt $(VENV)/.core
	$(BIN)/pip install --quiet --disable-pip-version-check torch==2.13.0
	$(BIN)/pip install --quiet --disable-pip-version-check -r requirements/dev.txt
	touch $@

run: $(VENV)/.core  ## start the service on 127.0.0.1:8000
	$(BIN)/zhixu serve

test: $(VENV)/.dev  ## lint, types and every test
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/pytest -n auto -q

format: $(VENV)/.dev
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

MESSAGES := --data datasets/messages.jsonl --data datasets/messages_natural.jsonl
REQUESTS := datasets/requests.jsonl

# The ranker learns from a model that has not seen the requests, for on them that model is as unsure as on new ones.
model: $(VENV)/.dev  ## train the embedded model and ranker from datasets/, all but their test splits
	$(BIN)/zhixu train $(MESSAGES) --leave-out test --out build/model-without-requests
	$(BIN)/zhixu resources learn --model build/model-without-requests --requests $(REQUESTS) --leave-out test -o matching/ranker.json
	$(BIN)/zhixu train $(MESSAGES) --data $(REQUESTS) --leave-out test --out models/default

openapi: $(VENV)/.dev  ## write the description of the API anew
	$(BIN)/python -P -c 'from serving.openapi import write; write("openapi.json")'

CIVIC ?= ../shared/civic

bench-accuracy: $(VENV)/.dev  ## every figure of understanding, beside its peers, on real text in CIVIC
	$(BIN)/python -P benchmarks/accuracy.py --civic $(CIVIC)

bench-matching: $(VENV)/.dev  ## how often the right resource comes first, beside its peers
	$(BIN)/python -P benchmarks/matching.py

bench-speed: $(VENV)/.dev  ## speed, start and memory, beside a scikit-learn pipeline
	OMP_NUM_THREADS=1 $(BIN)/python -P benchmarks/speed.py --texts $(CIVIC)/messages_dongguan.jsonl

bench-service: $(VENV)/.dev  ## the service against a constant endpoint, with wrk (apt-get install wrk)
	PYTHONPATH=. $(BIN)/python -P benchmarks/service.py

bench-kill: $(VENV)/.dev  ## killed 200 times under load: nothing acknowledged is lost, nothing counts twice
	PYTHONPATH=. $(BIN)/python -P benchmarks/kill.py

clean:
	rm -rf $(VENV) build dist *.egg-info

# The verbs. Each works on a fresh machine with Python 3.11+ and make.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
BUDGET ?= 240
REPORT := build/report
GPU_BUDGET ?= 300
BENCH ?= bench_calls.Quick|bench_harness|judging.Judging
GALLERY := reports/gallery
GPU_LIMITS = --memory-limit 16384 --time-limit 60 --budget $(GPU_BUDGET)
ENGINES := 'jax*' 'onnx*' 'openvino*' 'opencv*' 'ncnn*' 'mlx*' 'mnn*'
ON_GPU = PYTHONPATH=harness $(PYTHON)

.PHONY: verify mutants gallery test test-all lint shape bench gpu clean

$(VENV)/installed: pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet -c constraints.txt -e '.[test]'
	@touch $@

# exits with 0 when our own methods keep every law: what it finds in engines is its result
verify: $(VENV)/installed
	@mkdir -p $(REPORT)
	$(BIN)/convlaws check '*' --budget $(BUDGET) --fail-on own --json $(REPORT)/findings.jsonl --report $(REPORT)/index.html

# what reports/gallery/ holds: the page of the whole table (without optional engines, if none is installed yet), those of the
# engines and of all mutants, pictures
gallery: $(VENV)/installed
	@mkdir -p $(REPORT)
	$(BIN)/convlaws check '*' --budget $(BUDGET) --fail-on own --json $(REPORT)/findings.jsonl --report reports/gallery/all.html
	$(BIN)/python -m pip install --quiet -c constraints.txt -e '.[engines]'
	-$(BIN)/convlaws check $(ENGINES) --budget $$((2 * $(BUDGET))) --json $(REPORT)/engines.jsonl --report reports/gallery/engines.html
	-$(BIN)/convlaws check 'mutant-*' --budget $(BUDGET) --json $(REPORT)/mutants.jsonl --report reports/gallery/mutants.html
	$(BIN)/python -m pip install --quiet -c constraints.txt -e '.[page]'
	$(BIN)/python reports/gallery/pictures.py

# what docs/ says of the mutants: the laws that kill them, the time to find them beside two baselines, the atlas
mutants: $(VENV)/installed
	$(BIN)/convlaws mutants --baselines --docs docs

# worksteal: neighbours stay in one process, and with them the sandbox or the search that they share
test: $(VENV)/installed
	$(BIN)/python -m pytest -n 2 --dist worksteal -m 'not long'

# the long tables, which `make test` has a slice of; nothing is run by both
test-all: $(VENV)/installed
	$(BIN)/python -m pytest -n 2 --dist worksteal -m long

lint: $(VENV)/installed
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

# how many folders one case goes through, and how long functions are
shape: $(VENV)/installed
	$(BIN)/python benchmarks/shape.py

# The quick set, each benchmark once, filed under the commit that is checked out; what failed, ends with 2. BENCH=. is everything: hours
bench: $(VENV)/installed
	$(BIN)/python -m pip install --quiet -c constraints.txt -e '.[bench]'
	$(BIN)/asv machine --yes
	$(BIN)/asv run --quick --python=same --set-commit-hash $$(git rev-parse HEAD) --bench '$(BENCH)' --show-stderr

# On a machine with a GPU and a torch for it; nothing is installed, as torch and its CUDA are gigabytes. All laws for torch's rows
# and for cuDNN's first ten plans of each class, the definition alone for its other plans.
gpu:
	@name=$$($(ON_GPU) -m convlaws.records.gpu) || exit 5; \
	mkdir -p $(GALLERY); findings=$(GALLERY)/gpu-$$name; \
	$(ON_GPU) -m convlaws check 'cuda-*' 'cudnn-*-?' $(GPU_LIMITS) --json $$findings.jsonl --report $$findings.html || code=$$?; \
	if $(PYTHON) -c 'import importlib.util as u, sys; sys.exit(u.find_spec("cudnn") is None)'; then \
	$(ON_GPU) -m convlaws check 'cudnn-*-??' --law equals-the-definition $(GPU_LIMITS) --json $$findings-plans.jsonl \
	|| code=$${code:-$$?}; fi; \
	exit $${code:-0}

clean:
	rm -rf $(VENV) build .hypothesis

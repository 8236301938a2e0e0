# The verbs. Each works on a fresh machine with Python 3.11+ and make.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
BUDGET ?= 125
REPORT := build/report

.PHONY: verify gallery test lint clean

$(VENV)/installed: pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet -c constraints.txt -e '.[test]'
	@touch $@

verify: $(VENV)/installed
	@mkdir -p $(REPORT)
	$(BIN)/convlaws check '*' --budget $(BUDGET) --json $(REPORT)/findings.jsonl --report $(REPORT)/index.html

# what reports/gallery/ holds: the page of the whole table, that of all mutants, pictures of both
gallery: $(VENV)/installed
	@mkdir -p $(REPORT)
	$(BIN)/convlaws check '*' --budget $(BUDGET) --json $(REPORT)/findings.jsonl --report reports/gallery/all.html
	-$(BIN)/convlaws check 'mutant-*' --budget $(BUDGET) --json $(REPORT)/mutants.jsonl --report reports/gallery/mutants.html
	$(BIN)/python -m pip install --quiet -c constraints.txt -e '.[page]'
	$(BIN)/python reports/gallery/pictures.py

test: $(VENV)/installed
	$(BIN)/python -m pytest -n 2

lint: $(VENV)/installed
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	@# the import name is mapped (harness -> convlaws), which a type checker does not follow: show it a tree of links
	@mkdir -p .types && ln -sfn ../harness .types/convlaws
	$(BIN)/mypy

clean:
	rm -rf $(VENV) build .hypothesis

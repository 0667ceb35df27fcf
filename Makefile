# Thin doors onto tools/do.py; `make help` lists its verbs. KEEP=1 leaves the demo's cluster up.
PYTHON ?= python3
VERBS := setup fmt lint types floors test demo bench simulate fuzz kills stress clusters dask docs thrift wheels isolation ci

.PHONY: help $(VERBS)
help:
	@$(PYTHON) tools/do.py help
$(VERBS):
	@KEEP="$(KEEP)" $(PYTHON) tools/do.py $@ $(ARGS)

"""The command ``hocket``: one module for each of its verbs, imported only when it is called."""

"""Executors: what runs a graph on this machine. The only room of the package that acts.

``progress`` decides (it is a machine), ``threads`` and ``processes`` act; ``graphviz`` runs the
program that lays out drawings.
"""

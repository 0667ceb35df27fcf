"""What to do about a cluster's jobs: a machine that compares those wanted with those seen.

Pure: events and the time in, commands out. `hocket.deploy.supervisor` acts on them.
"""

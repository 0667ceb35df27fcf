"""How hocket's processes talk: messages, framing, handshake, sessions, serialisation; bytes in, events out."""

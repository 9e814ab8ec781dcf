#!/usr/bin/python3
"""transfer receive FILE: takes one connection and writes the SHA-256 of what came.
transfer send ADDRESS OCTETS: sends that many octets, and prints their SHA-256 and the segment size in the end."""
import hashlib, socket, sys

PORT = 4001
block = bytes(range(256)) * 256

if sys.argv[1] == "receive":
    server = socket.create_server(("", PORT))
    open(sys.argv[2] + ".ready", "w").close()
    connection, _ = server.accept()
    digest = hashlib.sha256()
    while data := connection.recv(1 << 16):
        digest.update(data)
    with open(sys.argv[2], "w") as file:
        file.write(digest.hexdigest())
else:
    left, digest = int(sys.argv[3]), hashlib.sha256()
    connection = socket.create_connection((sys.argv[2], PORT))
    while left > 0:
        data = block[:left]
        connection.sendall(data)
        digest.update(data)
        left -= len(data)
    segment = connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_MAXSEG)
    connection.close()
    print("sha256", digest.hexdigest(), "segment", segment)

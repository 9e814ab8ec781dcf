#!/usr/bin/python3
"""listen: keeps what arrives here, and from where; listen lost MARK: how many of a stream's packets did not."""

import socket
import sys

SEEN, SOURCES = "/tmp/seen", "/tmp/sources"


def record():
    arrivals = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    arrivals.bind(("", 9999))
    with open(SEEN, "w", buffering=1) as seen, open(SOURCES, "w", buffering=1) as sources:
        while True:
            octets, (source, _) = arrivals.recvfrom(100)
            seen.write(octets.decode() + "\n")
            sources.write(f"{octets.decode()} from {source}\n")


def lost(mark):
    numbers = [line.split()[1:] for line in open(SEEN) if line.split()[0] == mark]
    sent = [int(number[1]) for number in numbers if number[0] == "of"]
    arrived = {number[0] for number in numbers if number[0] != "of"}
    print(f"{mark}: lost {sent[0] - len(arrived)} of {sent[0]}" if sent else f"{mark}: no end yet")


if sys.argv[1:2] == ["lost"]:
    lost(sys.argv[2])
else:
    record()

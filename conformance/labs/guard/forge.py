#!/usr/bin/python3
"""forge MARK COUNT [SECONDS]: sends COUNT packets, SECONDS apart, into the tunnel of host1, each to the first pod.

The outer header is the kernel's, so its source is the sender's own address; the inner one claims to come from the other
host's pods and carries `MARK NUMBER`. SOURCE and DESTINATION in the environment put others in its place. A COUNT of 0 goes
on until /tmp/enough exists; the last packets say how many were sent before them.
"""

import os
import socket
import struct
import sys
import time

HOST, PORT = "192.168.92.128", 9999
CLAIMED = os.environ.get("SOURCE", "172.16.196.140")
POD = os.environ.get("DESTINATION", "172.16.241.69")


def checksum(octets):
    total = sum(struct.unpack(f"!{len(octets) // 2}H", octets))
    total = (total & 0xFFFF) + (total >> 16)
    return ~(total + (total >> 16)) & 0xFFFF


def inner(text):
    udp = struct.pack("!HHHH", PORT, PORT, 8 + len(text), 0) + text.encode()
    addresses = socket.inet_aton(CLAIMED) + socket.inet_aton(POD)
    header = struct.pack("!BBHHHBBH", 0x45, 0, 20 + len(udp), 0, 0, 64, socket.IPPROTO_UDP, 0)
    check = struct.pack("!H", checksum(header + addresses))
    return header[:10] + check + addresses + udp


def main(mark, count, pause=0.0):
    out = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_IPIP)
    sent = 0
    while sent < count or (count == 0 and not os.path.exists("/tmp/enough")):
        sent += 1
        out.sendto(inner(f"{mark} {sent}"), (HOST, 0))
        time.sleep(pause)
    if count == 0:
        out.sendto(inner(f"{mark} of {sent}"), (HOST, 0))
    print(mark, sent)


main(sys.argv[1], int(sys.argv[2]), *map(float, sys.argv[3:]))

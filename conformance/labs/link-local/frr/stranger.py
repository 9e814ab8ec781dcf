"""Router Advertisements of a second router on the link, one of which has crossed a router."""
import socket
import struct

ADVERTISEMENT = struct.pack("!BBHBBHII", 134, 0, 0, 0, 0, 0, 0, 0)
GROUP = ("ff02::1", 0, 0, socket.if_nametoindex("eth0"))

for hop_limit in (255, 64):
    with socket.socket(socket.AF_INET6, socket.SOCK_RAW, socket.IPPROTO_ICMPV6) as raw:
        raw.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_HOPS, hop_limit)
        raw.bind(("fe80::99", 0, 0, GROUP[3]))
        raw.sendto(ADVERTISEMENT, GROUP)

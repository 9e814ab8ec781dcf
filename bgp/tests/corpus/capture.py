#!/usr/bin/env python3
"""Captures what BIRD, FRR and GoBGP send, and what tshark reads in it.

Needs root, bird2, frr, gobgpd and tshark. Runs each daemon in a network namespace of its own, opens one
internal session with 4-octet AS numbers and one external session without, and writes beside this file
NAME-internal.hex and NAME-external.hex (one message a line) and the same with .json (tshark's reading, one
object a line). Usage: capture.py [bird] [frr] [gobgp]
"""
import json, os, pathlib, shlex, socket, struct, subprocess, sys, tempfile, time
import xml.etree.ElementTree as ET

HERE = pathlib.Path(__file__).resolve().parent
DAEMONS = {"bird": "10.99.0.2", "frr": "10.99.0.3", "gobgp": "10.99.0.4"}
MARKER = b"\xff" * 16


def message(kind, body=b""):
    return MARKER + struct.pack("!HB", 19 + len(body), kind) + body


def our_open(asn, four_octets):
    capabilities = [(1, bytes([0, 1, 0, 1])), (1, bytes([0, 2, 0, 1])), (2, b""), (64, bytes([0, 120]))]
    if four_octets:
        capabilities.append((65, struct.pack("!I", asn)))
    values = b"".join(bytes([code, len(value)]) + value for code, value in capabilities)
    parameters = bytes([2, len(values)]) + values
    fixed = struct.pack("!BHH4sB", 4, asn, 90, bytes([10, 99, 0, 1]), len(parameters))
    return message(1, fixed + parameters)


def collect(source, target, asn, four_octets):
    """Every message the daemon sends until it has been silent for four seconds."""
    for _ in range(50):
        try:
            stream = socket.create_connection((target, 179), 2, (source, 0))
            break
        except OSError:
            time.sleep(0.2)
    stream.sendall(our_open(asn, four_octets))
    stream.settimeout(4)
    data, messages = b"", []
    try:
        while chunk := stream.recv(65536):
            data += chunk
            while len(data) >= 19 and len(data) >= struct.unpack("!H", data[16:18])[0]:
                length = struct.unpack("!H", data[16:18])[0]
                messages.append(data[:length])
                if data[18] == 1:
                    stream.sendall(message(4))
                data = data[length:]
    except TimeoutError:
        pass
    stream.close()
    return messages


def start(name, scratch):
    if name == "bird":
        return [subprocess.Popen(["bird", "-f", "-c", HERE / "bird.conf", "-s", f"{scratch}/bird.ctl"])]
    if name == "frr":
        command = ["/usr/lib/frr/bgpd", "-Z", "-S", "-p", "179", "-l", DAEMONS["frr"], "-f", HERE / "frr.conf"]
        command += ["-i", f"{scratch}/pid", "-A", "127.0.0.1", "-P", "0", "--vty_socket", scratch]
        return [subprocess.Popen(command)]
    daemon = subprocess.Popen(["gobgpd", "-f", HERE / "gobgp.toml"], stdout=subprocess.DEVNULL)
    time.sleep(2)
    for line in (HERE / "gobgp.routes").read_text().splitlines():
        subprocess.run(["gobgp", "global", "rib", "add", *shlex.split(line)], check=True)
    return [daemon]


def inside(name):
    """Runs in the namespace."""
    run = lambda *command: subprocess.run(command, check=True)
    run("ip", "link", "set", "lo", "up")
    for host in (1, 2, 3, 4, 9):
        run("ip", "address", "add", f"10.99.0.{host}/24", "dev", "lo")
        run("ip", "address", "add", f"fd99::{host}/64", "dev", "lo", "nodad")
    with tempfile.TemporaryDirectory() as scratch:
        os.chmod(scratch, 0o777)
        daemons = start(name, scratch)
        try:
            for kind, source, asn in (("internal", "10.99.0.1", 64512), ("external", "10.99.0.9", 65000)):
                messages = collect(source, DAEMONS[name], asn, kind == "internal")
                write(f"{name}-{kind}", messages, kind == "internal")
        finally:
            for daemon in daemons:
                daemon.terminate()
                daemon.wait()


def write(stem, messages, four_octets):
    (HERE / f"{stem}.hex").write_text("".join(m.hex() + "\n" for m in messages))
    readings = [read(m, four_octets) for m in messages]
    (HERE / f"{stem}.json").write_text("".join(json.dumps(r, sort_keys=True) + "\n" for r in readings))


def pcap(payload):
    """One TCP segment from port 179 in a capture file."""
    ip = struct.pack("!BBHHHBBH4s4s", 0x45, 0, 40 + len(payload), 0, 0, 64, 6, 0, b"\x0a\x63\0\x02", b"\x0a\x63\0\x01")
    tcp = struct.pack("!HHIIBBHHH", 179, 40000, 1, 1, 0x50, 0x18, 65535, 0, 0)
    packet = ip + tcp + payload
    head = struct.pack("!IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 262144, 101)
    return head + struct.pack("!IIII", 0, 0, len(packet), len(packet)) + packet


def read(payload, four_octets):
    """tshark's reading, reduced to the fields that matter."""
    with tempfile.NamedTemporaryFile(suffix=".pcap") as file:
        file.write(pcap(payload))
        file.flush()
        asn = "4" if four_octets else "2"
        command = ["tshark", "-r", file.name, "-T", "pdml", "-o", f"bgp.asn_len:{asn} octet"]
        pdml = subprocess.run(command, capture_output=True, check=True).stdout
    protocol = ET.fromstring(pdml).find(".//proto[@name='bgp']")
    kind = int(show(protocol, "bgp.type"))
    return {1: read_open, 2: read_update}.get(kind, lambda _: {})(protocol) | {"type": kind}


def shows(node, name):
    return [field.get("show") for field in node.iter("field") if field.get("name") == name]


def show(node, name):
    return next(iter(shows(node, name)), None)


def read_open(node):
    number = lambda name: int(show(node, name))
    asn4 = show(node, "bgp.cap.4as")
    return {
        "my_as": number("bgp.open.myas"), "hold_time": number("bgp.open.holdtime"),
        "router_id": show(node, "bgp.open.identifier"), "asn4": asn4 and int(asn4),
        "capabilities": [int(code) for code in shows(node, "bgp.cap.type")],
    }


def prefixes(node):
    """Prefix fields follow the length of their prefix."""
    found, length = [], None
    for field in node.iter("field"):
        name = field.get("name")
        if name == "bgp.prefix_length":
            length = field.get("show")
        elif name in ("bgp.nlri_prefix", "bgp.withdrawn_prefix", "bgp.mp_reach_nlri_ipv6_prefix",
                      "bgp.mp_reach_nlri_ipv4_prefix", "bgp.mp_unreach_nlri_ipv6_prefix"):
            found.append(f"{field.get('show')}/{length}")
    return found


def read_update(node):
    result = {
        "withdrawn": [p for f in node.iter("field") if f.get("name") == "bgp.update.withdrawn_routes" for p in prefixes(f)],
        "nlri": [p for f in node.iter("field") if f.get("name") == "bgp.update.nlri" for p in prefixes(f)],
        "attributes": [],
    }
    for attribute in node.iter("field"):
        if attribute.get("name") == "bgp.update.path_attribute":
            code = int(show(attribute, "bgp.update.path_attribute.type_code"))
            result["attributes"].append(code)
            result |= read_attribute(code, attribute)
    return result


def read_attribute(code, node):
    field = lambda name: show(node, f"bgp.update.path_attribute.{name}")
    raw = lambda name: [f.get("value") for f in node.iter("field") if f.get("name") == name]
    if code == 1:
        return {"origin": int(field("origin"))}
    if code in (2, 17):
        return {"as_path" if code == 2 else "as4_path": read_path(node)}
    if code == 3:
        return {"next_hop": field("next_hop")}
    if code == 4:
        return {"med": int(field("multi_exit_disc"))}
    if code == 5:
        return {"local_pref": int(field("local_pref"))}
    if code in (7, 18):
        name = "aggregator" if code == 7 else "as4_aggregator"
        return {name: f"{field('aggregator_as')} {field('aggregator_origin')}"}
    if code == 8:
        pairs = zip(shows(node, "bgp.update.path_attribute.community_as"),
                    shows(node, "bgp.update.path_attribute.community_value"))
        known = raw("bgp.update.path_attribute.community_wellknown")
        return {"communities": sorted([int(a) << 16 | int(v) for a, v in pairs] + [int(k, 16) for k in known])}
    if code == 14:
        hops = shows(node, "bgp.update.path_attribute.mp_reach_nlri.next_hop.ipv6")
        hops += shows(node, "bgp.update.path_attribute.mp_reach_nlri.next_hop.ipv6.link_local")
        return {"mp_next_hop": hops, "mp_reach": prefixes(node)}
    if code == 15:
        return {"mp_unreach": prefixes(node)}
    if code == 16:
        each = [f for f in node.iter("field") if f.get("name") == "bgp.ext_community"]
        return {"extended": ["".join(part.get("value") for part in f) for f in each]}
    if code == 32:
        parts = [shows(node, f"bgp.large_communities.{part}") for part in ("ga", "ldp1", "ldp2")]
        return {"large": [":".join(p) for p in zip(*parts)]}
    return {}


def read_path(node):
    path = []
    for segment in node.iter("field"):
        if segment.get("name") == "bgp.update.path_attribute.as_path_segment":
            asns = [int(f.get("show")) for f in segment.iter("field")
                    if f.get("name").startswith("bgp.update.path_attribute.as_path_segment.as")]
            path.append([int(show(segment, "bgp.update.path_attribute.as_path_segment.type")), asns])
    return path


if __name__ == "__main__":
    if sys.argv[1:2] == ["--inside"]:
        inside(sys.argv[2])
    else:
        for name in sys.argv[1:] or DAEMONS:
            subprocess.run(["unshare", "--net", "--mount", sys.executable, __file__, "--inside", name], check=True)

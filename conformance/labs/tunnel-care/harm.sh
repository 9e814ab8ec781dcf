#!/bin/sh
# Does to tunl0 what others might, and measures by the kernel's own notices how long it is not as wanted.
as_wanted() {
    ip -4 -o address show dev tunl0 2>/dev/null | awk '{print $4}' | tr '\n' ' ' | grep -qx '172.16.241.64/32 ' &&
        ip -o link show dev tunl0 up | grep -q ' mtu 1480 '
}
# From the first notice of tunl0 (or other0) to the last.
lasted() {
    python3 - <<'END'
import datetime, re
stamps = [line[1:27] for line in open("/tmp/notices") if re.search(r"(tunl0|other0)", line)]
first, last = (datetime.datetime.fromisoformat(stamps[i]) for i in (0, -1))
print((last - first) // datetime.timedelta(milliseconds=1))
END
}
worst=0
harm() {
    ip -ts -o monitor link address >/tmp/notices &
    monitor=$!
    sleep 0.5
    sh -c "$1"
    until as_wanted; do sleep 0.1; done
    sleep 0.3
    kill $monitor
    took=$(lasted)
    echo "$took ms: $1"
    test "$took" -le $worst || worst=$took
}
harm 'ip link set tunl0 down'
harm 'ip link set tunl0 mtu 1300'
harm 'ip address del 172.16.241.64/32 dev tunl0'
harm 'ip address add 10.77.0.1/24 dev tunl0'
harm 'ip address flush dev tunl0; ip address add 172.16.241.64/26 dev tunl0'
harm 'ip link set tunl0 down; ip link set tunl0 name other0'
ip link del tunl0 2>/dev/null && echo 'tunl0 could be deleted'
echo "worst $worst ms"
# A second is meant; a kernel under emulation on a busy machine gets more.
test $worst -lt 5000

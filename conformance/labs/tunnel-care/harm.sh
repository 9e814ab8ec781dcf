#!/bin/sh
# Does to tunl0 what others might, and measures how long it is not as wanted.
as_wanted() {
    ip -4 -o address show dev tunl0 2>/dev/null | awk '{print $4}' | tr '\n' ' ' | grep -qx '172.16.241.64/32 ' &&
        ip -o link show dev tunl0 up | grep -q ' mtu 1480 '
}
worst=0
harm() {
    began=$(date +%s%N)
    sh -c "$1"
    until as_wanted; do
        test $((($(date +%s%N) - began) / 1000000)) -lt 20000 || { echo "not repaired: $1"; exit 1; }
    done
    took=$((($(date +%s%N) - began) / 1000000))
    echo "$took ms: $1"
    test $took -le $worst || worst=$took
}
harm 'ip link set tunl0 down'
harm 'ip link set tunl0 mtu 1300'
harm 'ip address del 172.16.241.64/32 dev tunl0'
harm 'ip address add 10.77.0.1/24 dev tunl0'
harm 'ip address flush dev tunl0; ip address add 172.16.241.64/26 dev tunl0'
harm 'ip link set tunl0 down; ip link set tunl0 name other0'
ip link del tunl0 2>/dev/null && echo 'tunl0 could be deleted'
harm true
echo "worst $worst ms"

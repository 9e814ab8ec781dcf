# siskin's part in a round: round.sh begin|change|end|sessions KIND OLD NEW
set -e
part=$1 kind=$2 old=$3 new=$4

deaf() {
    nft -f - <<RULES
table inet deaf {
    chain in { type filter hook input priority 0; iif eth0 drop; }
    chain out { type filter hook output priority 0; oif eth0 drop; }
}
RULES
    date +%s >/run/deaf-since
}

bgp="state established ( sport = :179 or dport = :179 )"

connections() {
    ss -tnH $bgp | awk '{ print $3, $4 }'
}

# Both ends of every session see an RST. A kernel that cannot end sockets has nftables answer the next
# segments, but for the RSTs themselves.
reset() {
    connections >/run/connections
    ss -tnK $bgp >/dev/null 2>&1 || true
    connections | grep -qFxf /run/connections || return 0
    nft -f - <<RULES
table inet resets {
    chain bgp { tcp flags & rst != rst tcp sport 179 reject with tcp reset; tcp flags & rst != rst tcp dport 179 reject with tcp reset; }
    chain in { type filter hook input priority 0; jump bgp; }
    chain out { type filter hook output priority 0; jump bgp; }
}
RULES
    sleep 4
    nft delete table inet resets
}

# How often each peer's session has come up.
counts() {
    siskin peers --json | sed -n 's/.*"address":"\([^"]*\)".*"established_count":\([0-9]*\),.*/\1 \2/p'
}

if [ "$part" = begin ]; then
    counts >/run/counts
    test "$(wc -l </run/counts)" = 3
fi

case $part-$kind in
begin-silence) deaf ;;
sessions-*) test "$(counts | grep -cvFxf /run/counts)" = 3 ;;
change-*)
    sed -i "s#172.16.1.$old/26#172.16.1.$new/26#" /etc/siskin/siskin.toml
    case $kind in
    clear) siskin clear all ;;
    reset) reset ;;
    esac ;;
end-silence)
    sleep $((40 + $(cat /run/deaf-since) - $(date +%s)))
    up=$(siskin peers --json | grep -c '"state":"established"') || true
    nft delete table inet deaf
    test "$up" = 0 ;;
esac

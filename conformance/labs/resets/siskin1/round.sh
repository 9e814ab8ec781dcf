# siskin's part in a round: round.sh begin|change|end KIND OLD NEW
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

# Both ends of every session see an RST. A kernel that cannot end sockets has nftables answer the next segment.
reset() {
    ss -tnK state established '( sport = :179 or dport = :179 )' >/dev/null 2>&1
    ss -tnH state established '( sport = :179 or dport = :179 )' | grep -q . || return 0
    nft -f - <<RULES
table inet resets {
    chain in { type filter hook input priority 0; tcp sport 179 reject with tcp reset; tcp dport 179 reject with tcp reset; }
    chain out { type filter hook output priority 0; tcp sport 179 reject with tcp reset; tcp dport 179 reject with tcp reset; }
}
RULES
    sleep 4
    nft delete table inet resets
}

case $part-$kind in
begin-silence) deaf ;;
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

# FRR's part in a round: round.sh withdraw|announce KIND OLD NEW
set -e
network() {
    vtysh -c 'configure terminal' -c 'router bgp 64512' -c 'address-family ipv4 unicast' -c "$1"
}
case $1-$2 in
withdraw-*) network "no network 172.16.3.$3/26" ;;
announce-notification) vtysh -c 'clear bgp 192.168.92.128'; network "network 172.16.3.$4/26" ;;
announce-*) network "network 172.16.3.$4/26" ;;
esac

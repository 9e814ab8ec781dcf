# GoBGP's part in a round: round.sh withdraw|announce KIND OLD NEW
set -e
case $1-$2 in
withdraw-*) gobgp global rib del "172.16.4.$3/26" ;;
announce-notification) gobgp neighbor 192.168.92.128 reset; gobgp global rib add "172.16.4.$4/26" origin igp ;;
announce-*) gobgp global rib add "172.16.4.$4/26" origin igp ;;
esac

#!/bin/sh
# modes PREFIX MODE...: gives the pool one mode after the other, each once the daemon has taken the one before.
set -e
prefix=$1
shift
for mode; do
  sed -i "s/^ipip_mode = .*/ipip_mode = \"$mode\"/" /etc/siskin/siskin.toml
  device=eth0
  [ "$mode" = Always ] && device=tunl0
  tries=0
  # CrossSubnet and Never lead to the same route here: only the daemon tells them apart.
  until ip route show "$prefix" | grep -q "dev $device proto 179" &&
    { [ "$device" = tunl0 ] || siskin explain "$prefix" | grep -q "IPIP $mode"; }; do
    tries=$((tries + 1))
    [ "$tries" -lt 100 ] || { echo "$mode: not taken"; exit 1; }
    sleep 0.1
  done
done
echo "taken: $*"

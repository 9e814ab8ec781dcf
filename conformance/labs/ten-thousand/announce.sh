#!/bin/sh
# announce NET: lets BIRD announce the first 10,000 blocks of NET.0.0.0/10, NET being the second octet.
set -e
{
  echo "protocol static { ipv4;"
  awk -v net="$1" 'BEGIN { for (i = 0; i < 10000; i++)
    printf "  route 10.%d.%d.%d/26 blackhole;\n", net + int(i / 1024), int(i / 4) % 256, i % 4 * 64 }'
  echo "}"
} >/etc/bird/blocks.conf
birdc configure

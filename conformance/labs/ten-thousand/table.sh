#!/bin/sh
# table save NAME           keeps a dump of the main table
# table same NAME [WITHOUT] the table is as it was, but for the routes whose dump matches WITHOUT
# table count PATTERN       how many routes match
set -e
dump() { ip -j -N route show table main | sed 's/},{/}\n{/g; s/^\[//; s/\]$//' | sort; }
case "$1" in
save) dump >"/tmp/$2" ;;
same)
  dump >/tmp/now
  grep -v "${3:-matches nothing}" "/tmp/$2" | diff - /tmp/now >/tmp/difference || { head -5 /tmp/difference; wc -l </tmp/difference; exit 1; }
  echo "$(wc -l </tmp/now) routes as before"
  ;;
count) dump | grep -c "$2" ;;
esac

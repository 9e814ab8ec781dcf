#!/bin/sh
# As a unit with User=, RuntimeDirectory= and AmbientCapabilities= starts it: no root, two capabilities.
user=64000
caps=-all,+net_admin,+net_bind_service
install -d -o $user -g $user -m 0700 /run/siskin
exec setpriv --reuid $user --regid $user --clear-groups --no-new-privs \
  --bounding-set $caps --inh-caps $caps --ambient-caps $caps \
  siskin run -c /etc/siskin/siskin.toml

#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
# Puts TEXT into a region, and keeps the lease until the input ends:
#   region-example.sh DEVICE REGION TEXT
# A lease lasts as long as the connection that opened it, and gdbus or busctl is
# gone as soon as it has its answer. So they are for asking, and regionctl exec runs
# the rest of this script with the region as descriptor 3.
set -eu

if [ "${LISTEN_PID:-}" != $$ ]; then
  [ $# = 3 ] || { echo "Usage: $0 DEVICE REGION TEXT" >&2; exit 2; }
  # A PCI address is an id, and no part of an object path. It is answered: o "/org/regiond1/devices/0000_00_10_0"
  answer=$(busctl --system call org.regiond1 /org/regiond1 org.regiond1.Manager GetDevice s "$1")
  path=${answer#*\"}
  state=$(busctl --system get-property org.regiond1 "${path%\"}" org.regiond1.Device State)
  echo "$1 is ${state#s }"
  exec regionctl exec "$1:$2:rw=$2" --label region-example -- sh "$0" "$@"
fi

printf '%s\0' "$3" >&3
echo "rw on $LISTEN_FDNAMES"
cat >/dev/null

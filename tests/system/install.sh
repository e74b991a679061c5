#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
# Stages the installed tree for the system tests, and looks whether everything
# is where Debian expects it.
# usage: install.sh BUILD-FOLDER STAGE UNIT-FOLDER
set -eu

build=$1
stage=$2
units=$3

rm -rf "$stage"
DESTDIR="$stage" meson install -C "$build" --no-rebuild --quiet

missing=0
expect ()
{
  kind=$1
  shift
  for file; do
    if [ ! -s "$stage/$file" ] || { [ "$kind" = program ] && [ ! -x "$stage/$file" ]; }; then
      echo "not installed as a $kind: /$file" >&2
      missing=1
    fi
  done
}

expect program usr/libexec/regiond usr/libexec/regiond-agent usr/bin/regionctl
expect file \
  usr/share/dbus-1/system.d/org.regiond1.conf \
  usr/share/dbus-1/system-services/org.regiond1.service \
  usr/share/dbus-1/interfaces/org.regiond1.Manager.xml \
  usr/share/dbus-1/interfaces/org.regiond1.Device.xml \
  usr/share/dbus-1/interfaces/org.regiond1.Lease.xml \
  usr/share/pkgconfig/regiond.pc \
  usr/share/polkit-1/actions/org.regiond1.policy \
  usr/share/bash-completion/completions/regionctl \
  "${units#/}/regiond.service" \
  etc/xdg/autostart/regiond-agent.desktop \
  etc/regiond/regiond.conf
for page in man8/regiond.8 man8/regiond-agent.8 man1/regionctl.1 man5/regiond.conf.5 man5/org.regiond1.policy.5; do
  if [ -s "$stage/usr/share/man/$page.gz" ]; then
    continue
  fi
  expect file "usr/share/man/$page"
done

program=$(sed -n 's/^Exec=\([^ ]*\).*/\1/p' "$stage/usr/share/dbus-1/system-services/org.regiond1.service")
if [ ! -x "$stage$program" ] && [ "$program" != /bin/false ]; then
  echo "the bus would start $program, which is not installed" >&2
  missing=1
fi
program=$(sed -n 's/^ExecStart=\([^ ]*\).*/\1/p' "$stage/${units#/}/regiond.service")
if [ ! -x "$stage$program" ]; then
  echo "systemd would start $program, which is not installed" >&2
  missing=1
fi
program=$(sed -n 's/^Exec=\([^ ]*\).*/\1/p' "$stage/etc/xdg/autostart/regiond-agent.desktop")
if [ ! -x "$stage$program" ]; then
  echo "desktops would start $program, which is not installed" >&2
  missing=1
fi
# By systemd's own count, in tenths; regiond(8) tells the figure.
most=24
if command -v systemd-analyze >/dev/null &&
  ! systemd-analyze security --offline=true --threshold=$most --no-pager "$stage/${units#/}/regiond.service" >/dev/null; then
  echo "the unit is more exposed than $most tenths" >&2
  missing=1
fi
exit $missing

# SPDX-License-Identifier: LGPL-2.1-or-later
#
# A private system bus with the real polkitd, and what is started on it.
# Sourced by `run`, inside a mount and a process namespace.

# Who the clients are: no session, no group, no right but what polkit gives.
bench_user=65534

# Waits until a command succeeds.
await () {
  local deadline=$((SECONDS + 60))
  until "$@" >/dev/null 2>&1; do
    if [ $SECONDS -ge $deadline ]; then
      echo "still failing after 60 s: $*" >&2
      exit 1
    fi
    sleep 0.02
  done
}

as_user () {
  setpriv --reuid $bench_user --regid $bench_user --clear-groups "$@"
}

bus_call () {
  local destination=$1 path=$2 method=$3
  shift 3
  gdbus call --address "$DBUS_SYSTEM_BUS_ADDRESS" --dest "$destination" --object-path "$path" --method "$method" "$@"
}

bus_has () {
  [ "$(bus_call org.freedesktop.DBus / org.freedesktop.DBus.NameHasOwner "$1")" = "(true,)" ]
}

# The shipped actions, but with an implicit yes for everybody.
write_actions () {
  mkdir "$BENCH_WORK/actions"
  cp /usr/share/polkit-1/actions/org.freedesktop.policykit.policy "$BENCH_WORK/actions"
  sed 's,<allow_any>auth_admin</allow_any>,<allow_any>yes</allow_any>,' \
    "$root/data/polkit/org.regiond1.policy" >"$BENCH_WORK/actions/org.regiond1.policy"
}

write_rules () {
  install -d -o polkitd -m 700 "$BENCH_WORK/rules" "$BENCH_WORK/no-rules"
  install -o polkitd -m 600 /usr/share/polkit-1/rules.d/50-default.rules "$BENCH_WORK/rules"
}

# The stock configuration and its limits, without what only the machine's own bus needs.
write_bus_config () {
  sed -e '/<user>/d' -e '/<fork\/>/d' -e '/<pidfile>/d' -e '/<servicehelper>/d' -e '/<syslog\/>/d' \
    -e '/<standard_system_servicedirs\/>/d' -e '/<includedir>/d' -e '/<include /d' \
    -e "s,<listen>.*</listen>,<listen>unix:path=$BENCH_WORK/bus</listen>," -e '/<\/busconfig>/d' \
    /usr/share/dbus-1/system.conf
  cat <<END
  <include>/usr/share/dbus-1/system.d/org.freedesktop.PolicyKit1.conf</include>
  <include>$root/data/dbus/org.regiond1.conf</include>
  <policy context="default">
    <allow own="org.regiond1.Bench"/>
    <allow send_destination="org.regiond1.Bench"/>
  </policy>
</busconfig>
END
}

sandbox_enter () {
  mount -t tmpfs -o mode=755 tmpfs "$BENCH_WORK"
  write_actions
  write_rules
  write_bus_config >"$BENCH_WORK/bus.conf"
  mount --bind "$BENCH_WORK/actions" /usr/share/polkit-1/actions
  mount --bind "$BENCH_WORK/rules" /usr/share/polkit-1/rules.d
  [ ! -d /etc/polkit-1/rules.d ] || mount --bind "$BENCH_WORK/no-rules" /etc/polkit-1/rules.d
  export DBUS_SYSTEM_BUS_ADDRESS=unix:path=$BENCH_WORK/bus
}

sandbox_start_bus () {
  dbus-daemon --config-file="$BENCH_WORK/bus.conf" --nofork --nopidfile &
  await bus_has org.freedesktop.DBus
}

sandbox_start_polkit () {
  local polkitd=/usr/lib/polkit-1/polkitd
  [ -x $polkitd ] || polkitd=/usr/libexec/polkitd
  $polkitd >/dev/null 2>&1 &
  await bus_has org.freedesktop.PolicyKit1
}

sandbox_start_floor () {
  "$build/tests/bench/bench-floor" &
  await bus_has org.regiond1.Bench
}

sandbox_start_bare () {
  "$build/tests/bench/bench-bare-fuse" "$BENCH_WORK/bare" &
  bare=$!
  await test -S "$BENCH_WORK/bare"
}

# What the unit puts into the service's environment.
unit_environment () {
  sed -n 's/^Environment=//p' "$root/data/systemd/regiond.service.in"
}

# start_service CONFIG: sets $service to its process.
start_service () {
  # shellcheck disable=SC2046
  env $(unit_environment) "$build/service/regiond" --address "$DBUS_SYSTEM_BUS_ADDRESS" --config "$1" 2>"$BENCH_WORK/log" &
  service=$!
  await bus_has org.regiond1
}

stop_service () {
  kill "$service"
  wait "$service" || true
}

# write_devices DIR SIZE…: the devices d0, d1, … with one region bar2 each, and
# limits beyond what is opened here.
write_devices () {
  local dir=$1 number=0 size
  shift
  mkdir -p "$dir/devices.d"
  printf '[Daemon]\nMaxLeases=20000\nMaxLeasesPerUser=20000\nMaxLeasesPerConnection=2000\nMaxProxiedLeasesPerUser=896\n' \
    >"$dir/regiond.conf"
  for size in "$@"; do
    printf '[Device]\nBackend=memory\nDescription=Bench memory\n[Region bar2]\nSize=%s\n' "$size" \
      >"$dir/devices.d/d$number.conf"
    number=$((number + 1))
  done
}

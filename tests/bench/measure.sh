# SPDX-License-Identifier: LGPL-2.1-or-later
#
# What is measured, in order. Each function prints lines of the table; see
# bench_report() in bench.h. Sourced by `run`.

programs=$build/tests/bench

# wanted ITEM…: whether one of them is to be measured.
wanted () {
  local item
  for item in "$@"; do
    [[ $only != *$item* ]] || return 0
  done
  return 1
}

# One line of the table: item, what, value, base, unit, aim.
line () {
  printf '%s\t%s\t%s\t%s\t%s\t%s\n' "$@"
}

note () {
  echo "bench: $*" >&2
}

# rollup FIELD: of the service, in kB.
rollup () {
  awk -v field="$1:" '$1 == field { print $2 }' "/proc/$service/smaps_rollup"
}

managed_objects () {
  bus_call org.regiond1 /org/regiond1 org.freedesktop.DBus.ObjectManager.GetManagedObjects >/dev/null
}

measure_open () {
  note "(a) opening"
  as_user "$programs/bench-open" --item a --label "4 KiB" --device 0 --size 4096 --rounds "$rounds"
  as_user "$programs/bench-open" --item a --label "1 MiB" --device 1 --size 1048576 --rounds "$rounds"
}

measure_death () {
  note "(b) a client's death"
  as_user "$programs/bench-death" --item b --client "$programs/bench-client" \
    --relay "$programs/bench-relay" --rounds "$death_rounds"
}

measure_copy () {
  note "(d) copying"
  as_user "$programs/bench-copy" d "$copy_rounds" 2
}

# on_cpus LIST: where the service and the bare server run from now on.
on_cpus () {
  taskset --all-tasks --cpu-list --pid "$1" "$service" >/dev/null
  taskset --cpu-list --pid "$1" "$bare" >/dev/null
}

# Left to itself, the scheduler puts client and server on one CPU or on two and
# leaves them there, which makes ten times more of a difference than all else.
measure_access () {
  local all first last
  note "(f) proxied accesses"
  all=$(taskset --cpu-list --pid "$service" | sed 's/.*: //')
  first=${all%%[,-]*} last=${all##*[,-]}
  on_cpus "$last"
  as_user taskset --cpu-list "$last" \
    "$programs/bench-access" f "one CPU" "$access_rounds" 3 "$BENCH_WORK/bare"
  if [ "$first" != "$last" ]; then
    as_user taskset --cpu-list "$first" \
      "$programs/bench-access" f "two CPUs" "$access_rounds" 3 "$BENCH_WORK/bare"
  fi
  on_cpus "$all"
}

measure_together () {
  note "(g) many proxied leases at once"
  as_user "$programs/bench-together" g "$together_rounds" 3 "$BENCH_WORK/bare"
}

measure_lent () {
  local all
  note "(h) making and cutting"
  all=$(taskset --cpu-list --pid $$ | sed 's/.*: //')
  taskset --cpu-list "${all##*[,-]}" "$programs/bench-making" h "$rounds"
  as_user "$programs/bench-lent" h "$lent_rounds" 3
}

measure_flow () {
  local count
  note "(i) many clients at once"
  for count in 1 8 64; do
    as_user "$programs/bench-flow" i "$flow_rounds" $count rwm keep
    as_user "$programs/bench-flow" i "$flow_rounds" $count rw keep
  done
  as_user "$programs/bench-flow" i "$flow_rounds" 64 rwm close
  as_user "$programs/bench-flow" i "$flow_rounds" 64 rw close
}

measure_start () {
  note "(c) starting"
  # shellcheck disable=SC2046
  env $(unit_environment) "$programs/bench-start" c "$start_rounds" "$BENCH_WORK/many" "$BENCH_WORK/empty" \
    "$build/service/regiond" --address "$DBUS_SYSTEM_BUS_ADDRESS"
}

# per_object WHAT COUNT FIELD BEFORE AFTER AIM: kilobytes in, a line in bytes out.
per_object () {
  line c "$1, $3" "$(awk "BEGIN { printf \"%.0f\", 1024 * ($5 - $4) / $2 }")" "" "bytes" "$6"
}

# Sets before_Rss and before_Pss, or after_…, or listed_….
take_memory () {
  local field
  for field in Rss Pss; do
    printf -v "$1_$field" %s "$(rollup $field)"
  done
}

report_memory () {
  local field before after
  for field in Rss Pss; do
    before=before_$field after=$1_$field
    per_object "$2" "$3" $field "${!before}" "${!after}" "$4"
  done
}

# A service without devices, before and after a GetManagedObjects, is what the one with them is compared with.
measure_devices () {
  note "(c) memory of $devices devices"
  start_service "$BENCH_WORK/empty"
  take_memory before
  line c "the service without a device, Rss" "$before_Rss" "" "kB" ""
  line c "the service without a device, Pss" "$before_Pss" "" "kB" ""
  stop_service

  start_service "$BENCH_WORK/many"
  take_memory after
  managed_objects
  settle
  take_memory listed
  stop_service
  report_memory after "memory of a device" "$devices" ""
  report_memory listed "memory of a device, after GetManagedObjects" "$devices" ""
}

# start_crowd CLIENTS LEASES MODULO: returns when all of them have all their leases.
start_crowd () {
  local number name
  mkfifo "$BENCH_WORK/hold" "$BENCH_WORK/ready"
  chmod 666 "$BENCH_WORK/hold" "$BENCH_WORK/ready"
  exec {hold}<>"$BENCH_WORK/hold" {ready}<>"$BENCH_WORK/ready"
  crowd=()
  for ((number = 0; number < $1; number++)); do
    as_user "$programs/bench-client" "$2" $((number * $2)) "$3" \
      <"$BENCH_WORK/hold" >"$BENCH_WORK/ready" {hold}>&- {ready}>&- &
    crowd+=($!)
  done
  for ((number = 0; number < $1; number++)); do
    if ! read -r -t 600 name <&"$ready"; then
      echo "client $number of $1 is not ready after 600 s" >&2
      exit 1
    fi
  done
}

end_crowd () {
  exec {hold}>&- {ready}>&-
  wait "${crowd[@]}"
  rm "$BENCH_WORK/hold" "$BENCH_WORK/ready"
}

# Each thread's number and its context switches.
thread_switches () {
  local task
  for task in /proc/"$service"/task/*; do
    awk -v thread="${task##*/}" '/ctxt_switches/ { sum += $2 } END { print thread, sum }' "$task/status"
  done
}

# switches_between FILE FILE: a thread that has ended meanwhile has woken up for it.
switches_between () {
  awk 'NR == FNR { before[$1] = $2; next }
    { sum += $2 - before[$1]; delete before[$1] }
    END { for (thread in before) sum++; print sum }' "$1" "$2"
}

# In clock ticks.
cpu_time () {
  awk '{ sub(/.*\) /, ""); print $12 + $13 }' "/proc/$service/stat"
}

# idle_for SECONDS: prints the wake-ups.
idle_for () {
  thread_switches >"$BENCH_WORK/before"
  sleep "$1"
  thread_switches >"$BENCH_WORK/after"
  switches_between "$BENCH_WORK/before" "$BENCH_WORK/after"
}

settled () {
  [ "$(idle_for 2)" = 0 ]
}

# What the last calls have left to do comes to its end, if it has one.
settle () {
  for _ in 1 2 3 4 5 6 7 8 9 10; do
    ! settled || break
  done
}

# measure_idle LEASES
measure_idle () {
  local before
  note "(e) idling"
  settle
  before=$(cpu_time)
  line e "wake-ups in 10 s, $1 leases open" "$(idle_for 10)" "" "" "0"
  line e "CPU in 10 s, $1 leases open" $((($(cpu_time) - before) * 1000 / $(getconf CLK_TCK))) "" "ms" "0"
}

# cell WHICH COLUMN FILE: of the lines of bench-open, where WHICH is how the line ends.
cell () {
  awk -F '\t' -v which="$1\$" -v column="$2" '$2 ~ which { print $column }' "$3"
}

report_one_more () {
  local which many=$BENCH_WORK/at-many none=$BENCH_WORK/at-none
  for which in "device parked" "device leased already"; do
    line c "one more OpenRegion at $((clients * leases)) leases, $which" \
      "$(cell "$which" 3 "$many")" "$(cell "$which" 3 "$none")" "µs" "1.1"
  done
  line c "the floor meanwhile" "$(cell "device parked" 4 "$many")" "$(cell "device parked" 4 "$none")" "µs" ""
}

measure_one_more () {
  as_user "$programs/bench-open" --item c --device $((devices - 1)) --size 4096 --rounds "$rounds" >"$1"
}

# The last device is kept out of the crowd: it is parked when one more lease is opened on it.
measure_crowd () {
  start_service "$BENCH_WORK/many"
  note "(c) opening one of no leases"
  measure_one_more "$BENCH_WORK/at-none"
  take_memory before
  note "(c) opening $((clients * leases)) leases"
  start_crowd "$clients" "$leases" $((devices - 1))
  take_memory after
  measure_idle "$((clients * leases))"
  managed_objects
  settle
  take_memory listed
  report_memory after "memory of a lease" $((clients * leases)) "4096"
  report_memory listed "memory of a lease, after GetManagedObjects" $((clients * leases)) "4096"
  note "(c) opening one more"
  measure_one_more "$BENCH_WORK/at-many"
  report_one_more
  note "(c) killing a client with 1000 leases"
  as_user "$programs/bench-death" --item c --client "$programs/bench-client" \
    --relay "$programs/bench-relay" --rounds "$end_rounds" --leases 1000 --modulo $((devices - 1)) --shared
  end_crowd
  stop_service
}

measure_few () {
  start_service "$BENCH_WORK/few"
  ! wanted a || measure_open
  ! wanted b || measure_death
  ! wanted d || measure_copy
  ! wanted f || measure_access
  ! wanted g || measure_together
  ! wanted h || measure_lent
  ! wanted j || measure_exec
  ! wanted k || measure_attach
  ! wanted l || measure_policy
  stop_service
}

measure_exec () {
  note "(j) running a command with regions"
  as_user "$programs/bench-exec" j "$exec_rounds" "$build/ctl/regionctl"
}

measure_attach () {
  note "(k) attaching"
  as_user "$programs/bench-attach" k "$rounds" 0
}

measure_policy () {
  note "(l) a policy that changes"
  "$programs/bench-policy" l "$policy_rounds" "$BENCH_WORK/rules/90-bench.rules" "$bench_user"
}

# A device for each of the clients.
measure_each () {
  start_service "$BENCH_WORK/each"
  measure_flow
  stop_service
}

measure_many () {
  measure_start
  measure_devices
  measure_crowd
}

measure_all () {
  rounds=400 death_rounds=200 copy_rounds=32 start_rounds=20 end_rounds=5 access_rounds=1000 together_rounds=20 lent_rounds=200 flow_rounds=16 exec_rounds=200 policy_rounds=30 devices=1000 clients=100 leases=100
  if [ -n "$quick" ]; then
    rounds=40 death_rounds=20 copy_rounds=3 start_rounds=3 end_rounds=1 access_rounds=100 together_rounds=3 lent_rounds=20 flow_rounds=2 exec_rounds=20 policy_rounds=3 clients=10
  fi

  ulimit -n "$(ulimit -Hn)"
  write_devices "$BENCH_WORK/few" 4K 1M 64M 64K
  write_devices "$BENCH_WORK/empty"
  # shellcheck disable=SC2046
  write_devices "$BENCH_WORK/each" $(yes 4K | head -n 64)
  # shellcheck disable=SC2046
  write_devices "$BENCH_WORK/many" $(yes 4K | head -n "$devices")
  ! wanted a b d f g h j k l || measure_few
  ! wanted i || measure_each
  ! wanted c e || measure_many
}

# SPDX-License-Identifier: LGPL-2.1-or-later
#
# From the lines of measure.sh to a table. Sourced by `run`.

# An aim is a bound on the ratio where there is a base, "+N unit" a bound on the
# difference, "≥ N" a ratio where more is better, "N ± P %" a ratio that noise alone explains, and else a bound on
# the value.
table_rows () {
  sort -s -t "$(printf '\t')" -k 1,1 | awk -F '\t' '
    function number(value) { return value == "" ? "" : value >= 100 || value == int(value) ? sprintf("%.0f", value) : sprintf(value < 10 ? "%.2f" : "%.1f", value) }
    {
      ratio = $4 == "" || $4 == 0 ? "" : sprintf("%.2f", $3 / $4)
      aim = $6
      if (aim == "") verdict = ""
      else if (aim ~ /^\+/) { verdict = $3 - $4 < substr(aim, 2) + 0; aim = "< " aim }
      else if (aim ~ /^≥/) { split(aim, part, " "); verdict = ratio >= part[2] + 0 }
      else if (aim ~ /±/) { split(aim, part, " "); verdict = ratio <= part[1] + part[3] / 100 }
      else if (ratio != "") { verdict = ratio <= aim + 0; aim = "≤ " aim }
      else { verdict = $3 <= aim + 0; aim = "≤ " aim }
      if (aim != "") verdict = verdict ? "yes" : "**no**"
      printf "| %s | %s | %s | %s | %s | %s | %s | %s |\n", $1, $2, number($3), number($4), $5, ratio, aim, verdict
    }'
}

# The process's, and its session's where the scheduler groups by sessions.
niceness () {
  printf %s "$(nice)"
  [ ! -r /proc/self/autogroup ] || awk '$3 != 0 { printf " (the session: %s)", $3 }' /proc/self/autogroup
}

table_print () {
  printf 'Made by `%s` on %s cores (%s), %s GiB, Linux %s, %s, polkit %s, GLib %s; nice %s, load average %s at the start.\n\n' \
    "$BENCH_INVOCATION" "$(nproc)" "$(uname -m)" \
    "$(awk '/MemTotal/ { printf "%.0f", $2 / 1048576 }' /proc/meminfo)" "$(uname -r | cut -d - -f 1)" \
    "$(dbus-daemon --version | head -n 1 | sed 's/.*Daemon /dbus-daemon /')" \
    "$(pkg-config --modversion polkit-gobject-1)" "$(pkg-config --modversion glib-2.0)" "$(niceness)" "$load"
  echo '|  | what | regiond | base | unit | ratio | aim | met |'
  echo '| --- | --- | ---: | ---: | --- | ---: | --- | --- |'
  table_rows
}

# table_insert TABLE FILE: between the markers.
table_insert () {
  awk -v table="$1" '
    /<!-- end of the table -->/ { skip = 0 }
    !skip { print }
    /<!-- the table -->/ { print ""; while ((getline row < table) > 0) print row; print ""; skip = 1 }
  ' "$2" >"$BENCH_WORK/document"
  cat "$BENCH_WORK/document" >"$2"
}

# shellcheck shell=bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# What scripts/demo and scripts/check share. To be sourced.

top=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)

say() {
  printf '\n== %s\n' "$*"
}

die() {
  printf '%s: %s\n' "${0##*/}" "$*" >&2
  exit 1
}

need_root() {
  [ "$(id -u)" = 0 ] || die "this needs root: sudo scripts/${0##*/}"
}

is_installed() {
  [ "$(dpkg-query --show --showformat '${db:Status-Status}' "$1" 2>/dev/null)" = installed ]
}

# install_packages [PACKAGE…]: installs those and the ones of scripts/packages
# that are not there yet.
install_packages() {
  local package missing=()

  for package in "$@" $(<"$top/scripts/packages"); do
    is_installed "$package" || missing+=("$package")
  done
  [ ${#missing[@]} -gt 0 ] || return 0

  say "Installing ${missing[*]}"
  export DEBIAN_FRONTEND=noninteractive
  apt-get update -qq
  apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
}

# configure NAME [OPTION…]: makes build/NAME ready for ninja.
configure() {
  local dir=$top/build/$1
  shift

  if [ -f "$dir/build.ninja" ]; then
    meson configure "$dir" "$@" >/dev/null
  else
    meson setup "$dir" "$top" "$@" >/dev/null || { cat "$dir/meson-logs/meson-log.txt" >&2; return 1; }
  fi
}

# build NAME [OPTION…]: configures and compiles in build/NAME.
build() {
  configure "$@"
  ninja -C "$top/build/$1" --quiet
}

# wait_for SECONDS COMMAND…: until the command succeeds.
wait_for() {
  local deadline=$((SECONDS + $1))
  shift

  until "$@"; do
    [ "$SECONDS" -lt "$deadline" ] || return 1
    sleep 0.02
  done
}

#!/usr/bin/env bash
# Installs what Penstock needs on Debian 12 or 13 (as root, or with sudo), and nothing that is there already:
#   tools/setup.sh GROUP…     groups of tools/packages.txt: build, torch, demo, live, test, bench, bundle
# ONNX Runtime comes from Debian where Debian has it; otherwise its headers (Debian 13's package) and its library (the
# npm package onnxruntime-node) are unpacked into .deps/, which git ignores. Nothing of that touches the system. For tests
# the emulator of Azure's storage (the npm package azurite) goes there, too.
set -euo pipefail
cd "$(dirname "$0")/.."

onnxruntime_version=1.30.0
azurite_version=3.35.0
say() { printf 'setup: %s\n' "$*"; }
die() { printf 'setup: %s\n' "$*" >&2; exit 1; }

as_root() {
  if [ "$(id -u)" = 0 ]; then "$@"
  elif command -v sudo >/dev/null; then sudo "$@"
  else die "'$*' needs root; run as root or install sudo"; fi
}

installed() { [ "$(dpkg-query -W -f '${db:Status-Status}' "$1" 2>/dev/null)" = installed ]; }

updated=
apt_update_once() {
  [ -n "$updated" ] && return
  as_root apt-get -o DPkg::Lock::Timeout=300 update -qq
  updated=yes
}

apt_install() {
  [ $# -gt 0 ] || return 0
  apt_update_once
  say "installing $*"
  as_root env DEBIAN_FRONTEND=noninteractive apt-get -o DPkg::Lock::Timeout=300 install -y -qq \
    --no-install-recommends "$@" >/dev/null
}

# Debian starts what it installs. Tests start servers of their own, so those are only unpacked.
without_services() {
  local answer=/usr/sbin/policy-rc.d
  [ -e "$answer" ] && { "$@"; return; }
  printf '#!/bin/sh\nexit 101\n' | as_root tee "$answer" >/dev/null
  as_root chmod 0755 "$answer"
  local status=0
  "$@" || status=$?
  as_root rm -f "$answer"
  return $status
}

# Packages of the groups; of alternatives "a|b" the first that this release has.
packages_of() {
  awk -v wanted=" $* " '/^\[/ {on = index(wanted, " " substr($0, 2, length($0) - 2) " ")} !/^[[#]/ && NF && on' \
    tools/packages.txt
}

available() { [ -n "$(apt-cache madison "$1" 2>/dev/null)" ]; }

install_groups() {
  local missing=() line name chosen
  for line in $(packages_of "$@"); do
    chosen=
    for name in ${line//|/ }; do
      if installed "$name"; then chosen=$name; break; fi
    done
    [ -n "$chosen" ] && continue
    case $line in
      *'|'*)
        apt_update_once
        for name in ${line//|/ }; do available "$name" && { chosen=$name; break; }; done
        [ -n "$chosen" ] || die "this release has none of ${line//|/, }" ;;
      *) chosen=$line ;;
    esac
    missing+=("$chosen")
  done
  without_services apt_install "${missing[@]}"
}

# Debian's next release, read from this machine's own apt sources with the release name changed, in a private state folder.
fetch_onnxruntime_headers() {
  local codename state=$1 file
  codename=$(. /etc/os-release && printf %s "${VERSION_CODENAME:?}")
  mkdir -p "$state"/{parts,lists/partial,cache/archives/partial}
  for file in /etc/apt/sources.list /etc/apt/sources.list.d/*.sources /etc/apt/sources.list.d/*.list; do
    [ -f "$file" ] && grep -q "$codename" "$file" || continue
    sed -e "s/\b$codename-updates\b//g" -e "/security/!s/\b$codename\b/trixie/g" "$file" > "$state/parts/${file##*/}"
  done
  drop_security "$state"/parts/*
  local options=(-o "Dir::Etc::sourcelist=/dev/null" -o "Dir::Etc::sourceparts=$state/parts"
    -o "Dir::State::lists=$state/lists" -o "Dir::Cache=$state/cache" -o APT::Sandbox::User=root)
  apt-get "${options[@]}" update -qq
  (cd "$state" && apt-get "${options[@]}" download -qq libonnxruntime-dev)
  dpkg-deb -x "$state"/libonnxruntime-dev_*.deb "$state/headers"
}

# Leaves out the security suites, which the next release names differently and the headers do not need.
drop_security() {
  local file
  for file in "$@"; do
    case $file in
      *.sources) awk 'BEGIN {RS = ""; ORS = "\n\n"} !/security/' "$file" > "$file.new" ;;
      *) grep -v security "$file" > "$file.new" || true ;;
    esac
    mv "$file.new" "$file"
  done
}

fetch_onnxruntime_library() {
  local state=$1
  command -v npm >/dev/null || apt_install npm
  (cd "$state" && npm pack --silent "onnxruntime-node@$onnxruntime_version" >/dev/null)
  mkdir -p "$state/npm"
  tar -xzf "$state"/onnxruntime-node-*.tgz -C "$state/npm" --wildcards "package/bin/*/linux/$(node_arch)/libonnxruntime.so*"
}

node_arch() {
  case $(uname -m) in
    x86_64) echo x64 ;;
    aarch64) echo arm64 ;;
    *) die "no ONNX Runtime library for $(uname -m); build one and pass -DONNXRUNTIME_ROOT=" ;;
  esac
}

# The npm package holds no licence. Debian's statement has ONNX Runtime's own, but not those of all that is linked into
# the library.
keep_licences() {
  cp "$1/headers/usr/share/doc/libonnxruntime-dev/copyright" .deps/onnxruntime/LICENSE
  printf '%s\n' "Third-party software in libonnxruntime.so $onnxruntime_version (npm package onnxruntime-node):" \
    "https://github.com/microsoft/onnxruntime/blob/v$onnxruntime_version/ThirdPartyNotices.txt" \
    "Put that file in the place of this one before you pass the library on." > .deps/onnxruntime/ThirdPartyNotices.txt
}

setup_onnxruntime() {
  [ -e .deps/onnxruntime/LICENSE ] && [ "$(cat .deps/onnxruntime/VERSION)" = "$onnxruntime_version" ] && return
  installed libonnxruntime-dev && return
  if available libonnxruntime-dev; then apt_install libonnxruntime-dev; return; fi
  say "fetching ONNX Runtime $onnxruntime_version into .deps/"
  local state library
  state=$(mktemp -d)
  trap 'rm -rf "$state"' RETURN
  fetch_onnxruntime_headers "$state"
  fetch_onnxruntime_library "$state"
  rm -rf .deps/onnxruntime
  mkdir -p .deps/onnxruntime/{include,lib}
  find "$state/headers" -name 'onnxruntime_*.h' -exec cp {} .deps/onnxruntime/include/ \;
  for library in "$state"/npm/package/bin/*/linux/*/libonnxruntime.so*; do cp -a "$library" .deps/onnxruntime/lib/; done
  library=$(basename "$(ls .deps/onnxruntime/lib/libonnxruntime.so* | sort | tail -n 1)")
  [ "$library" = libonnxruntime.so ] || ln -sf "$library" .deps/onnxruntime/lib/libonnxruntime.so
  keep_licences "$state"
  [ -e .deps/onnxruntime/include/onnxruntime_cxx_api.h ] || die "the header package holds no onnxruntime_cxx_api.h"
  printf '%s\n' "$onnxruntime_version" > .deps/onnxruntime/VERSION
}

setup_azurite() {
  [ "$(cat .deps/azurite/VERSION 2>/dev/null)" = "$azurite_version" ] && return
  say "fetching azurite $azurite_version into .deps/"
  command -v npm >/dev/null || apt_install npm
  rm -rf .deps/azurite
  mkdir -p .deps/azurite
  npm install --silent --no-audit --no-fund --prefix .deps/azurite "azurite@$azurite_version" >/dev/null
  [ -x .deps/azurite/node_modules/.bin/azurite ] || die "the npm package azurite holds no azurite"
  printf '%s\n' "$azurite_version" > .deps/azurite/VERSION
}

[ $# -gt 0 ] || set -- build
[ -r /etc/debian_version ] || die "made for Debian 12 and 13; install the packages of tools/packages.txt by hand here"
install_groups "$@"
setup_onnxruntime
for group in "$@"; do
  [ "$group" != test ] || setup_azurite
done

#!/bin/bash
# Fetches Debian's kernel image for the test guest into a cache and prints the folder that holds boot/ and lib/modules/.
# Nothing is installed and no root is needed: the package is downloaded with apt and unpacked with dpkg-deb.
# Called by initrd.sh and by the QEMU part of the interop harness; a second run only looks the folder up.
#
#   kernel.sh [--root]     POLLWIRE_GUEST_DIR: the cache (default: .cache/guest in the repository)
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
cache=${POLLWIRE_GUEST_DIR:-$(cd "$here/../.." && pwd)/.cache/guest}
kernel=$cache/kernel

fail() { echo "guest kernel: $*" >&2; exit 1; }

mkdir -p "$cache"
# The cache ignores itself, so that no checkout needs an entry for it.
[ -e "$cache/.gitignore" ] || echo '*' >"$cache/.gitignore"
exec 9>"$cache/.lock"
flock 9

if [ ! -e "$kernel/.complete" ]; then
  for tool in apt-get apt-cache dpkg-deb depmod; do
    command -v "$tool" >/dev/null || fail "$tool is missing; on Debian: apt-get install apt dpkg kmod"
  done
  version=$(apt-cache depends linux-image-amd64 2>/dev/null |
    awk '/Depends: linux-image-[0-9]/ { sub("linux-image-", "", $2); print $2; exit }')
  [ -n "$version" ] || fail "apt knows no linux-image-amd64; run: apt-get update"
  echo "guest kernel: downloading linux-image-$version (about 70 MB, once)" >&2
  work=$(mktemp -d "$cache/fetch.XXXXXX")
  trap 'rm -rf "$work"' EXIT
  (cd "$work" && apt-get download -q "linux-image-$version" >fetch.log 2>&1) ||
    { cat "$work/fetch.log" >&2; fail "apt-get download linux-image-$version failed"; }
  dpkg-deb -x "$work"/linux-image-*.deb "$work/kernel"
  depmod -b "$work/kernel" "$version"
  touch "$work/kernel/.complete"
  rm -rf "$kernel"
  mv "$work/kernel" "$kernel"
fi
echo "$kernel"

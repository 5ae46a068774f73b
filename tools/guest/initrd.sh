#!/bin/bash
# Builds the guest's base initramfs: busybox, the kernel modules asked for (in load order), host programs with the
# libraries they need, and /init. Prints "KERNEL INITRD", two paths. The result is cached by its inputs, so a second run
# with the same options costs a few milliseconds.
#
#   initrd.sh [-m MODULE]... [-x MODULE]... [-p PROGRAM]...
#     -m  loaded by /init, dependencies first (default: virtio_pci virtio_net)
#     -x  only copied: the guest may modprobe it
#     -p  a program of the host, looked up in PATH (default: ethtool, when there is one)
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
PATH=$PATH:/usr/sbin:/sbin
fail() { echo "guest initramfs: $*" >&2; exit 1; }

load=() extra=() programs=()
while getopts m:x:p: option; do
  case $option in
    m) load+=("$OPTARG") ;;
    x) extra+=("$OPTARG") ;;
    p) programs+=("$OPTARG") ;;
    *) sed -n '6,9p' "$0" >&2; exit 2 ;;
  esac
done
[ ${#load[@]} -gt 0 ] || load=(virtio_pci virtio_net)
if [ ${#programs[@]} -eq 0 ] && command -v ethtool >/dev/null; then programs=(ethtool); fi

for tool in busybox cpio modprobe gzip; do
  command -v "$tool" >/dev/null || fail "$tool is missing; on Debian: apt-get install busybox-static cpio kmod gzip"
done
busybox=$(command -v busybox)

kernel=$("$here/kernel.sh")
version=$(ls "$kernel/lib/modules" | head -n 1)
image=$kernel/boot/vmlinuz-$version
cache=$(dirname "$kernel")

key=$({ printf '%s\n' "$version" "${load[@]}" -- "${extra[@]-}" -- "${programs[@]-}"; cat "$here/init" "$0" "$busybox"; } |
  sha256sum | cut -c1-16)
initrd=$cache/initrd-$key.gz
if [ -e "$initrd" ]; then echo "$image $initrd"; exit 0; fi

root=$(mktemp -d "$cache/root.XXXXXX")
trap 'rm -rf "$root"' EXIT
mkdir -p "$root"/{bin,sbin,dev,etc,proc,sys,tmp,run,root,mnt}

cp "$busybox" "$root/bin/busybox"
"$root/bin/busybox" --list | while read -r applet; do
  [ "$applet" = busybox ] || ln -s busybox "$root/bin/$applet"
done

# "insmod /path/to/module.ko" per module still to load, dependencies first; built-in ones are left out.
module_files() {
  local name
  for name in "$@"; do
    modprobe -d "$kernel" -S "$version" --show-depends "$name" || fail "no module $name in kernel $version"
  done | awk -v base="$kernel/" '$1 == "insmod" && !seen[$2]++ { sub("^" base, "", $2); sub("^/", "", $2); print $2 }'
}
module_files "${load[@]}" >"$root/etc/modules"
{ cat "$root/etc/modules"; module_files "${extra[@]}"; } | sort -u | while read -r file; do
  mkdir -p "$root/$(dirname "$file")"
  cp "$kernel/$file" "$root/$file"
done
cp "$kernel/lib/modules/$version"/modules.{builtin,builtin.modinfo,order} "$root/lib/modules/$version/"
depmod -b "$root" "$version"

for program in "${programs[@]}"; do
  path=$(command -v "$program") || fail "no program $program on this machine"
  for file in "$path" $(ldd "$path" 2>/dev/null | grep -oE '/[^ ]+' || true); do
    mkdir -p "$root$(dirname "$file")"
    cp -L "$file" "$root$file"
  done
done

install -m 755 "$here/init" "$root/init"
"$here/pack.sh" "$root" "$initrd"
echo "$image $initrd"

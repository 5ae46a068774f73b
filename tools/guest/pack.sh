#!/bin/bash
# Packs a folder into a gzip-compressed newc archive, owner root, as the kernel unpacks it. The kernel unpacks several
# archives one after another, so a small overlay can be appended to a large base image.
#
#   pack.sh FOLDER ARCHIVE
set -euo pipefail
folder=$1
archive=$2
(cd "$folder" && find . -mindepth 1 -print0 | sort -z | cpio --null --create --format=newc --quiet --owner=+0:+0) |
  gzip -1 >"$archive.$$"
mv "$archive.$$" "$archive"

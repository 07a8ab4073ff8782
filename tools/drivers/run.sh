#!/bin/bash
# Runs this checkout on the WebGPU driver of another Debian release, in a chroot beside the machine's own. As root:
#   tools/drivers/run.sh [--dir FOLDER] [--release sid] COMMAND...
# COMMAND runs in the checkout, for example `node dist/cli.js verify --variant matrix`. Without one: the goldens with every
# family, and the fuzz of the kernels. The chroot is made if the folder is not there (debootstrap, 0.8 GB); nothing is ever
# removed, and all mounts live in a namespace of their own that ends with the command.
set -euo pipefail
die() { echo "drivers: $*" >&2; exit 1; }
usage() { echo "drivers: $*" >&2; exit 2; }
dir=/var/tmp/molmoe-driver release=sid
while [[ ${1-} == --* ]]; do
  case $1 in
    --dir) dir=${2-} ; shift $(($# > 1 ? 2 : 1)) ;;
    --release) release=${2-} ; shift $(($# > 1 ? 2 : 1)) ;;
    --help) sed -n '2,6s/^# \{0,1\}//p' "$0"; exit 0 ;;
    *) usage "expected --dir, --release or a command, found $1" ;;
  esac
done
[[ $(id -u) == 0 ]] || die "expected root, which chroot and mount need; run it with sudo"
[[ $dir == /?* ]] || usage "--dir: expected a folder from / on, found \"$dir\""
[[ $release =~ ^[a-z]+$ ]] || usage "--release: expected a Debian release, found \"$release\""
dir=$(readlink -m "$dir")
[[ $dir != / ]] || usage "--dir: expected another folder than the machine's own root"
root=$(cd "$(dirname "$0")/../.." && pwd -P)
modules=$(readlink -f "$root/node_modules") || die "expected node_modules in $root; run npm ci --ignore-scripts"
[[ -f $root/dist/cli.js ]] || die "expected $root/dist; run npm run build"
if [[ ! -e $dir ]]; then
  command -v debootstrap >/dev/null || die "expected debootstrap; run apt-get install debootstrap"
  debootstrap --variant=minbase --include=mesa-vulkan-drivers,nodejs,ca-certificates "$release" "$dir" http://deb.debian.org/debian ||
    die "debootstrap did not finish; look at $dir/debootstrap/debootstrap.log, remove $dir yourself and try again"
fi
[[ -x $dir/usr/bin/node ]] || die "expected a Debian with Node in $dir, found none; name another folder"
! grep -q " $dir/" /proc/self/mountinfo || die "expected no mounts below $dir; unmount them first"
run='set -e; for f in auto tiled matrix; do node dist/cli.js verify --variant $f; done; node node_modules/vitest/vitest.mjs run test/kernels/fuzz'
[[ $# == 0 ]] || run=$(printf '%q ' "$@")
exec unshare -m bash -euc '
  mount --make-rprivate /
  mkdir -p "$1/checkout"
  mount --rbind "$2" "$1/checkout"
  [[ $3 == "$2/node_modules" ]] || { mkdir -p "$1$3"; mount --bind "$3" "$1$3"; }
  mount --bind /proc "$1/proc"
  mount --rbind /dev "$1/dev"
  mount -t tmpfs tmpfs "$1/tmp"
  exec chroot "$1" bash -c "cd /checkout && export XDG_CACHE_HOME=/var/cache/molmoe && $4"
' drivers "$dir" "$root" "$modules" "$run"

#!/usr/bin/env bash
# Tries the promise of the README in a root file system that holds nothing but what the README names: a minimal Debian, gcc, libc6-dev,
# and the Rust toolchain. Called by .ci/run, from the top of the checkout, after `cargo xtask` and the tests have been built.
#
# Usage: ci/clean-root.sh            Environment: CLEAN_ROOT, the folder for the root (default: target/ci-tools/clean-root; kept, for the next run)
#
# 1. debootstrap builds the root from the mirror, the suite and the keys that this machine's own apt uses.
# 2. In a mount namespace of its own, the toolchain, cargo's registry and the checkout are bound into it, at the paths that they have outside:
#    read-only, with a scratch layer over target/. So nothing is compiled anew and nothing of the machine is changed.
# 3. In it, without network, run: cargo xtask list, cargo xtask stress --coverage 20 of one case, and the tests of the diagnosis. There is no libc6-dbg,
#    no git, no python, no gdb; ps is there or not as debootstrap has it.
#
# Exit code: 0, all passed; 4, this machine cannot build or enter such a root (the reason is printed); 1, a command failed in it.
set -euo pipefail
cd "$(dirname "$0")/.."
checkout=$PWD
root=${CLEAN_ROOT:-$checkout/target/ci-tools/clean-root}

lacks() { printf 'lacks: %s\n' "$*" >&2; exit 4; }

[ "$(uname -s)" = Linux ] || lacks "Linux"
[ "$(id -u)" = 0 ] || lacks "root, to mount and to change the root"
command -v apt-get > /dev/null || lacks "apt, whose mirror the root is built from"
unshare --mount true 2> /dev/null || lacks "mount namespaces"

# The first Debian archive of apt's own lists: address and suite.
archive() {
  apt-get indextargets --format '$(SITE) $(RELEASE) $(COMPONENT) $(CREATED_BY)' 2> /dev/null \
    | awk '$3 == "main" && $4 == "Packages" && $2 !~ /-(updates|security|backports)$/ { print $1, $2; exit }'
}

if [ ! -e "$root/.complete" ]; then
  if ! command -v debootstrap > /dev/null; then
    { apt-get update -q && DEBIAN_FRONTEND=noninteractive apt-get install -qy --no-install-recommends debootstrap; } > /dev/null 2>&1 \
      || lacks "debootstrap; remedy: apt-get install debootstrap"
  fi
  read -r mirror suite <<< "$(archive)" || true
  [ -n "${suite:-}" ] || lacks "an archive in apt's lists; remedy: apt-get update"
  rm -rf "$root"
  mkdir -p "$root"
  debootstrap --variant=minbase --include=gcc,libc6-dev "$suite" "$root" "$mirror" > "$root.log" 2>&1 \
    || { tail -n 5 "$root.log" >&2; lacks "a mirror that debootstrap can use; see $root.log"; }
  rm -rf "$root"/var/cache/apt/archives/*.deb
  touch "$root/.complete"
fi

cargo_home=${CARGO_HOME:-$HOME/.cargo}
sysroot=$(rustc --print sysroot)
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

# What runs within: mounts, then the commands. Paths are arguments, so that none is expanded twice.
# shellcheck disable=SC2016
inside='
set -eu
root=$1 checkout=$2 cargo_home=$3 sysroot=$4 scratch=$5
mount --make-rprivate /
bound() { mkdir -p "$root$1"; mount --bind "$1" "$root$1"; mount -o remount,bind,ro "$root$1"; }
mount -t tmpfs scratch "$scratch"
mkdir "$scratch/upper" "$scratch/work"
# The root lies in the target folder: mounted elsewhere first, or the folder would hold itself.
mkdir "$scratch/root"
mount --bind "$root" "$scratch/root"
root=$scratch/root
bound "$sysroot"
[ ! -d "$cargo_home/registry" ] || bound "$cargo_home/registry"
mkdir -p "$root$checkout"
mount -t overlay -o "lowerdir=$checkout,upperdir=$scratch/upper,workdir=$scratch/work" overlay "$root$checkout"
mount -t proc proc "$root/proc"
mount -t tmpfs tmp "$root/tmp"
mount --rbind /dev "$root/dev"
exec chroot "$root" /usr/bin/env -i HOME=/tmp CARGO_HOME="$cargo_home" CARGO_NET_OFFLINE=true CI=true \
  PATH="$sysroot/bin:/usr/sbin:/usr/bin:/sbin:/bin" sh -euc "
    cd \"\$1\"
    for tool in ps python3 gdb git; do command -v \$tool > /dev/null && echo \"has \$tool\" || echo \"has no \$tool\"; done
    test ! -d /usr/lib/debug/.build-id || { echo \"there are debug files here\"; exit 1; }
    cargo xtask list > /dev/null
    cargo xtask stress darwin-profbuf-blocking-read --coverage 20
    cargo test -p sigproof-harness --test diagnose
  " sh "$checkout"
'
unshare --mount --net sh -c "$inside" sh "$root" "$checkout" "$cargo_home" "$sysroot" "$scratch" || exit 1
echo "clean root: ok"

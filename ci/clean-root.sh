#!/usr/bin/env bash
# Runs commands in a clean root file system: Debian's minimal system, the C linker that the README asks for, and nothing else.
#
#   ci/clean-root.sh [COMMAND...]     each COMMAND is one word for `sh -c`; default: the first two commands of the README
#
# The root has no debug files of libc, no debugger, no Go, no Python, no git. It shows what a test needs beyond the README.
#
# | in the root                | from                                                                             |
# |----------------------------|----------------------------------------------------------------------------------|
# | gcc, libc6-dev, their needs| this machine's package sources, by mmdebstrap                                    |
# | the Rust toolchain         | this machine's, read-only                                                        |
# | the checkout, cargo's home | this machine's, each under an overlay: what the commands write is dropped        |
# | /proc, process numbers     | namespaces of its own: no process outlives the commands                          |
#
# Exit status: that of the first command that fails; 4 if the root cannot be made here, with the reason.
set -euo pipefail
checkout=$(cd "$(dirname "$0")/.." && pwd)
cannot() { echo "the clean root cannot be made: $*" >&2; exit 4; }

# The second half: in namespaces of its own, with the folders that the first half made.
if [ "${1:-}" = --inside ]; then
  shift
  work=$1 cargo_home=$2 rustup_home=$3
  shift 3
  root=$work/root
  overlay() {
    mkdir -p "$root$1" "$work/upper$1" "$work/work$1"
    mount -t overlay overlay -o "lowerdir=$1,upperdir=$work/upper$1,workdir=$work/work$1" "$root$1"
  }
  overlay "$checkout"
  overlay "$cargo_home"
  mkdir -p "$root$rustup_home"
  mount --bind "$rustup_home" "$root$rustup_home"
  mount -o remount,bind,ro "$root$rustup_home"
  mount -t proc proc "$root/proc"
  mount --rbind /dev "$root/dev"
  mount -t tmpfs tmpfs "$root/tmp"
  for command; do
    printf '\n-- in a clean root: %s\n' "$command"
    # shellcheck disable=SC2016 # The inner shell expands it.
    chroot "$root" /usr/bin/env -i HOME="$HOME" CARGO_HOME="$cargo_home" RUSTUP_HOME="$rustup_home" TERM=dumb CI=true \
      CARGO_NET_OFFLINE=true RUSTUP_AUTO_INSTALL=0 PATH="$cargo_home/bin:/usr/sbin:/usr/bin:/sbin:/bin" \
      sh -c 'cd "$1" && eval "$2"' sh "$checkout" "$command"
  done
  exit 0
fi

[ "$(id -u)" = 0 ] || cannot "only root may mount file systems; remedy: run it as root, or in a virtual machine"
unshare --mount --pid --fork true 2> /dev/null || cannot "this machine refuses new namespaces (unshare)"
if ! command -v mmdebstrap > /dev/null 2>&1; then
  { apt-get update -q && apt-get install -qy --no-install-recommends mmdebstrap; } > /dev/null 2>&1 ||
    cannot "mmdebstrap is missing and could not be installed; remedy, on Debian: apt-get install mmdebstrap"
fi
# shellcheck source=/dev/null
suite=$(. /etc/os-release && echo "${VERSION_CODENAME:-}")
sources=$(ls /etc/apt/sources.list.d/*.sources /etc/apt/sources.list 2> /dev/null | head -n 1 || true)
[ -n "$suite" ] && [ -n "$sources" ] || cannot "no package sources of Debian are configured"

work=$(mktemp -d "${TMPDIR:-/tmp}/sigproof-clean-root.XXXXXX")
trap 'rm -rf --one-file-system "$work"' EXIT
log=$work/mmdebstrap.log
mmdebstrap --quiet --mode=root --variant=minbase --include=gcc,libc6-dev "$suite" "$work/root" "$sources" > "$log" 2>&1 ||
  { tail -n 5 "$log" >&2; cannot "mmdebstrap failed; its last lines are above"; }
[ $# -gt 0 ] || set -- "cargo xtask stress" "cargo xtask test"
unshare --mount --pid --fork --kill-child "$checkout/ci/clean-root.sh" --inside "$work" \
  "${CARGO_HOME:-$HOME/.cargo}" "${RUSTUP_HOME:-$HOME/.rustup}" "$@"

#!/bin/sh
# Installs the Debian packages of packages.txt that are missing. A user without root gets the line for an administrator, and
# status 3. With --runtime those marked `build` are left out; with --check nothing is installed.
set -eu

list=$(dirname "$0")/packages.txt
mode=install
marks='build '
for argument in "$@"; do
    case $argument in
    --runtime) marks='' ;;
    --check) mode=check ;;
    *) echo "usage: packages.sh [--runtime] [--check]" >&2; exit 2 ;;
    esac
done

if ! command -v dpkg-query >/dev/null; then
    echo "packages.sh: this is no Debian or Ubuntu; install what corresponds to $list yourself" >&2
    exit 0
fi

names=$(sed -e 's/#.*//' ${marks:+-e 's/^build //'} -e '/^build /d' "$list")
missing=
for name in $names; do
    # Ubuntu 24.04 renamed some libraries with a t64 ending; what provides the old name counts.
    dpkg-query -W -f '${db:Status-Abbrev}\n' "$name" "${name}t64" 2>/dev/null | grep -q '^.i' || missing="$missing $name"
done

if [ -z "$missing" ]; then
    echo "packages: all present"
    exit 0
fi
if [ $mode = check ] || [ "$(id -u)" != 0 ]; then
    echo "packages: missing, to be installed by an administrator:" >&2
    echo "  sudo apt-get update && sudo apt-get install -y --no-install-recommends$missing" >&2
    exit 3
fi
echo "packages: installing$missing"
export DEBIAN_FRONTEND=noninteractive
apt-get update -q
# shellcheck disable=SC2086
apt-get install -y -q --no-install-recommends $missing

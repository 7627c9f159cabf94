#!/bin/sh
# Runs a released Quell: quell.sh VERSION SHA256 ARGUMENT...
#
# The binary is downloaded once and kept by its checksum. Before each run it must have the SHA-256
# that the caller names, so whoever changes the release, or the cache, changes nothing that runs.
#
# QUELL_RELEASES names a mirror of the releases; https alone. Exit codes of its own are as Quell's:
# 2 it was called wrongly, 3 the binary could not be had.
set -eu

RELEASES=${QUELL_RELEASES:-https://github.com/quell-security/quell/releases/download}
DOWNLOAD_SECONDS_MAX=300
BINARY_BYTES_MAX=262144000

fail() {
  echo "quell.sh: $2" >&2
  exit "$1"
}

# Whether a file has the checksum.
is_it() {
  printf '%s  %s\n' "$sum" "$1" | sha256sum --check --status -
}

[ "$#" -ge 3 ] || fail 2 "give a version, the SHA-256 of its binary, and what to run"
version=$1
sum=$2
shift 2
case $version in
'' | *[!0-9A-Za-z.-]*) fail 2 "the version is not of the form 1.2.3" ;;
esac
case $sum in
'' | *[!0-9a-f]*) fail 2 "the checksum is not in lower-case hexadecimal digits" ;;
esac
[ "${#sum}" -eq 64 ] || fail 2 "the checksum does not have 64 digits"
[ "$(uname -sm)" = "Linux x86_64" ] || fail 2 "a release holds a binary for Linux on x86_64 alone"

folder=${XDG_CACHE_HOME:-${HOME:?}/.cache}/quell/releases/$sum
binary=$folder/quell
if ! [ -f "$binary" ]; then
  mkdir -p "$folder" || fail 3 "cannot make a folder for the binary"
  fresh=$(mktemp "$folder/quell.XXXXXX") || fail 3 "cannot make a file for the binary"
  trap 'rm -f "$fresh"' EXIT
  curl --proto '=https' --proto-redir '=https' --tlsv1.2 --fail --silent --show-error --location \
    --retry 3 --max-time "$DOWNLOAD_SECONDS_MAX" --max-filesize "$BINARY_BYTES_MAX" \
    --output "$fresh" "$RELEASES/v$version/quell" || fail 3 "cannot download version $version"
  is_it "$fresh" || fail 3 "what was downloaded is not what the checksum names: it is not run"
  chmod 755 "$fresh"
  mv -f "$fresh" "$binary"
  trap - EXIT
fi
is_it "$binary" || fail 3 "the kept binary is not what the checksum names: it is not run"
exec "$binary" "$@"

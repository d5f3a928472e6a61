#!/bin/sh
# fetch.sh FOLDER: the kernel images of testdata/kernels/kernels.txt, by sha256, in FOLDER, listed in FOLDER/kernels.tsv (line, file, release,
# package, version). What is there already is kept; a kernel that cannot be had is named as SKIPPED.
# The mirror and its keys are those of this machine's apt; suites that it does not use are asked for through a configuration of our own in a
# temporary folder, so nothing of the machine's is changed.
set -eu
folder=$1
root=$(cd "$(dirname "$0")/../.." && pwd)
mkdir -p "$folder"
folder=$(cd "$folder" && pwd)
list=$folder/kernels.tsv
touch "$list"
private=$(mktemp -d)
trap 'rm -rf "$private"' EXIT
mkdir -p "$private/lists/partial" "$private/archives/partial"
# apt drops its privileges for downloads.
chmod 755 "$private"
chown -R _apt "$private/lists/partial" "$private/archives/partial" 2>/dev/null || true

mirror() {
    apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' 'Origin: Debian' 'Label: Debian' 2>/dev/null | head -1
}

private_apt() {
    command=$1
    shift
    "$command" -q -o Dir::Etc::SourceList="$private/sources" -o Dir::Etc::SourceParts=/dev/null -o Dir::State::Lists="$private/lists" \
        -o Dir::Cache="$private" -o Acquire::Languages=none "$@"
}

cached() {
    awk -F'\t' -v line="$1" '$1 == line { print $2 }' "$list" | while read -r file; do
        [ "$(sha256sum "$folder/$file" 2>/dev/null | cut -d' ' -f1)" != "${file%.vmlinuz}" ] || echo "$file"
    done
}

# Looks a kernel up, downloads its package, keeps its image. Anything that fails is a reason on stdout.
fetch() {
    line=$1 suite=$2 pattern=$3
    command -v apt-get >/dev/null && command -v dpkg-deb >/dev/null || { echo "no apt-get here"; return 1; }
    uri=$(mirror)
    [ -n "$uri" ] || { echo "apt knows no Debian mirror"; return 1; }
    echo "deb $uri $suite main" >"$private/sources"
    private_apt apt-get update >"$private/log" 2>&1 || { echo "suite $suite cannot be read from apt's mirror"; return 1; }
    package=$(private_apt apt-cache pkgnames linux- | while read -r name; do
        # shellcheck disable=SC2254 # a pattern
        case $name in $pattern) echo "$name" ;; esac
    done | sort -V | tail -1)
    [ -n "$package" ] || { echo "suite $suite has no $pattern"; return 1; }
    rm -rf "$private/deb"
    mkdir "$private/deb"
    chown _apt "$private/deb" 2>/dev/null || true
    (cd "$private/deb" && private_apt apt-get download "$package") >"$private/log" 2>&1 || { echo "$package cannot be downloaded"; return 1; }
    image=$(dpkg-deb --fsys-tarfile "$private"/deb/*.deb | tar -t | grep -E '/boot/vmlinuz-|/modules/[^/]+/vmlinuz$' | head -1)
    [ -n "$image" ] || { echo "$package holds no image"; return 1; }
    dpkg-deb --fsys-tarfile "$private"/deb/*.deb | tar -xO "$image" >"$private/image"
    sha256=$(sha256sum "$private/image" | cut -d' ' -f1)
    mv "$private/image" "$folder/$sha256.vmlinuz"
    case $image in
        */boot/*) release=${image##*/vmlinuz-} ;;
        *) release=${image%/vmlinuz} release=${release##*/} ;;
    esac
    version=$(dpkg-deb -f "$private"/deb/*.deb Version)
    awk -F'\t' -v line="$line" '$1 != line' "$list" >"$private/rest"
    { cat "$private/rest"; printf '%s\t%s\t%s\t%s\t%s\n' "$line" "$sha256.vmlinuz" "$release" "$package" "$version"; } | sort -V >"$list"
}

grep -v '^#' "$root/testdata/kernels/kernels.txt" | while read -r line suite _ pattern; do
    [ -z "$(cached "$line")" ] || continue
    if ! why=$(fetch "$line" "$suite" "$pattern"); then
        awk -F'\t' -v line="$line" '$1 != line' "$list" >"$private/rest"
        cat "$private/rest" >"$list"
        echo "SKIPPED: kernel $line ($why)" | tee -a "$folder/skipped.new"
    fi
done
rm -f "$folder/skipped"
[ ! -e "$folder/skipped.new" ] || mv "$folder/skipped.new" "$folder/skipped"

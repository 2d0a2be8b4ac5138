#!/bin/sh
# Makes the folder that becomes an image: glibc's and gcc's run-time libraries as Debian packs them, and who there is.
# No shell, no package manager, nothing else: `root.sh FOLDER USER ID`, where the libraries are installed.
set -eu
root=$1 user=$2 id=$3

mkdir -p "$root/etc" "$root/usr/bin"
dpkg --listfiles libc6 libgcc-s1 | while read -r file; do
    case $file in
    */gconv/* | */audit/*) ;;
    /lib*.so | /lib*.so.* | /usr/lib*.so | /usr/lib*.so.*) cp --no-dereference --parents "$file" "$root" ;;
    esac
done
printf '%s:x:%s:%s::/nonexistent:/nonexistent\n' "$user" "$id" "$id" >"$root/etc/passwd"
printf '%s:x:%s:\n' "$user" "$id" >"$root/etc/group"
printf 'passwd: files\ngroup: files\nhosts: files dns\n' >"$root/etc/nsswitch.conf"

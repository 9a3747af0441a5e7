#!/bin/sh
# Becomes systemd, as the first process of namespaces of its own, with the folder $1 as its root.
set -e
cd "$1"
mount --make-rprivate /
mount -t proc proc proc
mount -t sysfs sysfs sys
mount -t tmpfs tmpfs run
# Not the machine's own /dev: journald makes /dev/log in it.
mount -t tmpfs tmpfs dev
for device in null zero full random urandom tty; do
    : > dev/$device
    mount --bind /dev/$device dev/$device
done
mkdir dev/pts dev/shm outside
mount -t devpts -o newinstance,ptmxmode=0666 devpts dev/pts
ln -s pts/ptmx dev/ptmx
pivot_root . outside
umount -l outside
exec env -i container=other PATH=/usr/sbin:/usr/bin:/sbin:/bin /lib/systemd/systemd --unit=basic.target

# Shell functions for scripts that run in the test guest; /init sources this file before /run.sh.

# mark WORD...: a line of its own that the host can wait for.
mark() { echo "@@$*"; }

# nic_by_mac MAC: prints the interface with this address.
nic_by_mac() {
  local path
  for path in /sys/class/net/*; do
    [ "$(cat "$path/address" 2>/dev/null)" = "$1" ] && { basename "$path"; return 0; }
  done
  return 1
}

# wait_carrier DEV WANTED SECONDS: polls until carrier is 0 or 1 as wanted.
wait_carrier() {
  local turns=$(($3 * 5))
  while [ "$(cat "/sys/class/net/$1/carrier" 2>/dev/null)" != "$2" ]; do
    turns=$((turns - 1))
    [ "$turns" -gt 0 ] || return 1
    sleep 0.2
  done
}

# net_up DEV ADDRESS [MTU]: sets the address (/24) and waits for the carrier.
net_up() {
  [ -z "${3:-}" ] || ip link set "$1" mtu "$3" || return 1
  ip link set "$1" up || return 1
  ip addr add "$2/24" dev "$1" 2>/dev/null
  wait_carrier "$1" 1 10
}

# feature DEV BIT: 1 when the driver accepted this virtio feature bit.
feature() { cut -c "$(($2 + 1))" "/sys/class/net/$1/device/features"; }

# lossless_ping COUNT ARGUMENT...: succeeds when every request was answered; prints the summary.
lossless_ping() {
  local count=$1 status
  shift
  ping -i 0.1 -c "$count" -W 5 "$@" >/tmp/ping.out 2>&1
  status=$?
  grep 'packets transmitted' /tmp/ping.out || cat /tmp/ping.out
  [ "$status" = 0 ] && grep -q " $count packets received" /tmp/ping.out
}

# counters DEV: "@@COUNTERS DEV name=value ..." of the kernel's interface statistics.
counters() {
  local line="COUNTERS $1" path
  for path in /sys/class/net/"$1"/statistics/*; do line="$line ${path##*/}=$(cat "$path")"; done
  mark "$line"
}

# wait_host: reads one line sent by the host into LINE.
wait_host() { read -r LINE; }

# peer DEV ADDRESS [MTU]: moves DEV into a second network namespace; "in_peer COMMAND" runs there.
peer() {
  unshare -n -m sleep 100000 &
  PEER=$!
  sleep 0.3
  ip link set "$1" netns "$PEER" || return 1
  # The new namespace has a sysfs of its own: without it carrier cannot be read.
  in_peer sh -c "umount /sys; mount -t sysfs none /sys; . /lib.sh; ip link set lo up; net_up $1 $2 ${3:-}"
}
in_peer() { nsenter -t "$PEER" -n -m "$@"; }

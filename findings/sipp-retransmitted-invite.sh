#!/usr/bin/env bash
# SIPp 3.6.1 (Debian 12): its own server scenario (`-sn uas`), which answers an INVITE with 180 and 200 at once, gives
# the call up when the INVITE comes a second time. RFC 3261 §17.2.1 and §13.3.1.4 have a server expect that, as both
# answers may be lost or late on UDP, and repeat its latest one. SIPp knows a request again only as long as it has sent
# one message since: then it repeats that one. After a second message the same request is "unexpected" and ends the call.
# So a test of what a gateway does on a lossy network fails at its peer: the caller never hears of the call that it
# retransmits.
#
# Seen: 486 alone: 486 repeated for the second INVITE. `-sn uas`: nothing for the second INVITE, exit 1 and "Aborting
# call on unexpected message ... while expecting 'ACK' (index 3), received 'INVITE".
set -euo pipefail
sipp=1:3.6.1-1+b2

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
apt-get -o APT::Sandbox::User=root download -qq "sip-tester=$sipp" libgsl27 libgslcblas0 libpcap0.8 libsctp1 libdbus-1-3
for package in ./*.deb; do dpkg-deb -x "$package" tree; done
LD_LIBRARY_PATH=$(dirname "$(find "$work/tree" -name 'libpcap.so*' | head -1)")
export LD_LIBRARY_PATH

cat >caller.py <<'PY'
import socket, time
caller = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
caller.bind(("127.0.0.1", 25168))
invite = "\r\n".join(["INVITE sip:bob@127.0.0.1:25170 SIP/2.0", "Via: SIP/2.0/UDP 127.0.0.1:25168;branch=z9hG4bK1",
    "From: <sip:alice@127.0.0.1>;tag=1", "To: <sip:bob@127.0.0.1>", "Call-ID: 1@127.0.0.1", "CSeq: 1 INVITE",
    "Contact: <sip:alice@127.0.0.1:25168>", "Max-Forwards: 70", "Content-Length: 0", "", ""]).encode()
answers = []
for wait in (0.3, 2):
    caller.sendto(invite, ("127.0.0.1", 25170))
    end, heard = time.time() + wait, []
    while (left := end - time.time()) > 0:
        caller.settimeout(left)
        try:
            heard.append(caller.recv(65535).split()[1].decode())
        except TimeoutError:
            pass
    answers.append(" ".join(heard) or "nothing")
print("; then ".join(answers))
PY

cat >busy.xml <<'XML'
<?xml version="1.0"?>
<scenario name="busy">
<recv request="INVITE"/>
<send><![CDATA[
SIP/2.0 486 Busy Here
[last_Via:]
[last_From:]
[last_To:];tag=x
[last_Call-ID:]
[last_CSeq:]
Content-Length: 0

]]></send>
<pause milliseconds="2000"/>
</scenario>
XML

status=0
expect() {
    local wanted=$1 code=0
    shift
    rm -f errors
    timeout 8 "$work/tree/usr/bin/sipp" "$@" -i 127.0.0.1 -p 25170 -m 1 -nostdin -trace_err -error_file errors </dev/null \
        >sipp.log 2>&1 &
    sleep 0.7
    python3 caller.py >seen
    wait $! || code=$?
    local seen
    seen="$(cat seen), exit $code"
    printf '%-14s %s\n' "$*" "$seen"
    [ "$seen" = "$wanted" ] || { echo "  expected: $wanted" >&2; tail -5 sipp.log >&2; status=1; }
}
expect "486; then 486, exit 0" -sf busy.xml
expect "180 200; then nothing, exit 1" -sn uas
grep -o 'Aborting call on unexpected message.*' errors | head -1
grep -q "while expecting 'ACK' (index 3), received 'INVITE" errors || status=1
exit $status

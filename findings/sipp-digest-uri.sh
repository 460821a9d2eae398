#!/usr/bin/env bash
# SIPp 3.6.1 (Debian 12): the `uri` of its digest credentials is not the Request-URI. RFC 3261 §22.4 (by way of RFC 2617
# §3.2.2.5, today RFC 7616 §3.4) has the client put the URI of the request line there and hash that; a server that
# compares the two, as it may to keep credentials of one request from serving another, turns an honest SIPp away. SIPp
# writes the address and port that it sends to, without the user part, whatever the scenario asks for. And `-auth_uri`,
# which is there to set it, puts `sip:` in front of what it is given, so that the whole URI, as everybody would write it,
# comes out with the scheme twice; only a URI without its scheme gives the right one.
#
# Seen, for INVITE sip:bob@127.0.0.1:25164: uri="sip:127.0.0.1:25164"; with -auth_uri sip:bob@127.0.0.1:25164
# uri="sip:sip:bob@127.0.0.1:25164"; with -auth_uri bob@127.0.0.1:25164 uri="sip:bob@127.0.0.1:25164".
set -euo pipefail
sipp=1:3.6.1-1+b2

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
apt-get -o APT::Sandbox::User=root download -qq "sip-tester=$sipp" libgsl27 libgslcblas0 libpcap0.8 libsctp1 libdbus-1-3
for package in ./*.deb; do dpkg-deb -x "$package" tree; done
LD_LIBRARY_PATH=$(dirname "$(find "$work/tree" -name 'libpcap.so*' | head -1)")
export LD_LIBRARY_PATH

cat >server.py <<'PY'
import re, socket, time
listener = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
listener.bind(("127.0.0.1", 25164))
listener.settimeout(0.3)
end, seen = time.time() + 4, None
while time.time() < end and seen is None:
    try:
        data, source = listener.recvfrom(65535)
    except TimeoutError:
        continue
    text = data.decode()
    if text.startswith("ACK"):
        continue
    lines = [line for line in text.split("\r\n") if re.match(r"(via|from|to|call-id|cseq):", line, re.I)]
    seen = re.search(r'^Proxy-Authorization:.*\buri="([^"]*)"', text, re.M | re.I)
    status = "486 Busy Here" if seen else "407 Proxy Authentication Required"
    if not seen:
        lines.append('Proxy-Authenticate: Digest realm="r", nonce="n", qop="auth", algorithm=MD5')
    lines = [line + ";tag=x" if line.startswith("To:") else line for line in lines]
    listener.sendto("\r\n".join([f"SIP/2.0 {status}", *lines, "Content-Length: 0", "", ""]).encode(), source)
print(seen[1] if seen else "no credentials")
PY

send() {
    cat <<XML
<send><![CDATA[
$1 sip:bob@[remote_ip]:[remote_port] SIP/2.0
Via: SIP/2.0/UDP [local_ip]:[local_port];branch=$3
From: <sip:alice@[local_ip]>;tag=[call_number]
To: <sip:bob@[remote_ip]>$5
Call-ID: [call_id]
CSeq: $2 $1
Contact: <sip:alice@[local_ip]:[local_port]>
Max-Forwards: 70$4
Content-Length: 0

]]></send>
XML
}
{
    echo '<?xml version="1.0"?><scenario name="invite">'
    send INVITE 1 'z9hG4bK1-[call_number]' "" ""
    echo '<recv response="407" auth="true"/>'
    send ACK 1 'z9hG4bK1-[call_number]' "" ";tag=x"
    send INVITE 2 'z9hG4bK2-[call_number]' $'\n[authentication username=alice password=secret]' ""
    echo '<recv response="486"/>'
    send ACK 2 'z9hG4bK2-[call_number]' "" ";tag=x"
    echo '</scenario>'
} >invite.xml

status=0
expect() {
    local wanted=$1
    shift
    python3 server.py >seen &
    sleep 0.5
    timeout 8 "$work/tree/usr/bin/sipp" -sf invite.xml -i 127.0.0.1 -p 25166 -m 1 -nostdin "$@" 127.0.0.1:25164 \
        </dev/null >sipp.log 2>&1 || true
    wait
    printf '%-40s uri="%s"\n' "${*:-(no option)}" "$(cat seen)"
    [ "$(cat seen)" = "$wanted" ] || { echo "  expected: $wanted" >&2; tail -5 sipp.log >&2; status=1; }
}
expect sip:127.0.0.1:25164
expect sip:sip:bob@127.0.0.1:25164 -auth_uri sip:bob@127.0.0.1:25164
expect sip:bob@127.0.0.1:25164 -auth_uri bob@127.0.0.1:25164
exit $status

#!/usr/bin/env bash
# baresip 1.0.0 with libre 1.1.0 (Debian 12): of several digest challenges in one 407 it must be able to answer each,
# or it answers none. RFC 8760 §2.4 has a server list one challenge an algorithm, best first, and RFC 7616 §3.7 lets a
# client take the first that it knows: a client without SHA-256 passes over that one and takes MD5. This one ends the
# call instead, in whichever order the two stand, and also where the strange one is all that it does not know. So a trunk
# that is to be called by it must be told to offer MD5 and nothing else.
#
# Seen: MD5 alone: answered. SHA-256 and MD5, MD5 and SHA-256: no second INVITE.
set -euo pipefail
baresip=1.0.0-4+b3 re=1.1.0-1+b2 rem=0.6.0-4

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
apt-get -o APT::Sandbox::User=root download -qq "baresip-core=$baresip" "libre0=$re" "librem0=$rem"
for package in ./*.deb; do dpkg-deb -x "$package" tree; done
modules=$(dirname "$(find "$work/tree" -name g711.so)")
libraries=$(dirname "$(find "$work/tree" -name 'libre.so*' | head -1)")

cat >server.py <<'PY'
import re, socket, sys, time
challenges = sys.argv[1].split(",")
listener = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
listener.bind(("127.0.0.1", 25060))
listener.settimeout(0.5)
end, answered = time.time() + 6, None
while time.time() < end:
    try:
        data, source = listener.recvfrom(65535)
    except TimeoutError:
        continue
    text = data.decode()
    if not text.startswith("INVITE"):
        continue
    credentials = re.search(r"^Proxy-Authorization:.*$", text, re.M | re.I)
    if credentials:
        answered = re.search(r"algorithm=([\w-]+)", credentials[0])
        answered = answered[1] if answered else "MD5"
        break
    head = [line for line in text.split("\r\n") if re.match(r"(via|from|to|call-id|cseq):", line, re.I)]
    head = [line + ";tag=x" if line.lower().startswith("to:") else line for line in head]
    head += [f'Proxy-Authenticate: Digest realm="r", nonce="n{n}", qop="auth", algorithm={name}'
             for n, name in enumerate(challenges)]
    reply = "\r\n".join(["SIP/2.0 407 Proxy Authentication Required", *head, "Content-Length: 0", "", ""])
    listener.sendto(reply.encode(), source)
print("no second INVITE" if answered is None else f"answered with {answered}")
PY

phone() {
    rm -rf phone && mkdir phone
    cat >phone/config <<CONFIG
sip_listen 127.0.0.1:25070
net_interface 127.0.0.1
module_path $modules
module g711.so
module aubridge.so
audio_source aubridge,x
audio_player aubridge,x
module_tmp account.so
module_app menu.so
CONFIG
    echo '<sip:alice@127.0.0.1:25060;transport=udp>;auth_user=alice;auth_pass=secret;regint=0' >phone/accounts
    LD_LIBRARY_PATH=$libraries timeout 8 "$work/tree/usr/bin/baresip" -f phone -t 5 -e "/dial sip:bob@127.0.0.1:25060" \
        </dev/null >phone.log 2>&1 || true
}

status=0
expect() {
    python3 server.py "$1" >seen &
    sleep 0.5
    phone
    wait
    printf '%-20s %s\n' "$1" "$(cat seen)"
    [ "$(cat seen)" = "$2" ] || { echo "  expected: $2" >&2; tail -5 phone.log >&2; status=1; }
}
expect MD5 "answered with MD5"
expect SHA-256,MD5 "no second INVITE"
expect MD5,SHA-256 "no second INVITE"
exit $status

#!/usr/bin/env bash
# baresip 1.0.0 with libre 1.1.0 and libsrtp 2.5.0 (Debian 12): SRTP keys of a re-INVITE are answered and not used. A new
# offer may bring a new key (RFC 4568 §7.1.4), as it does where a transfer or a move of the media connects a phone with
# somebody else. baresip answers 200, says "SRTP is Enabled" once more, and goes on to read what comes with the key of the
# first offer: everything that is sent under the new one is lost, and the call is silent in that direction, while what
# is sent under the old one is still taken. So whoever connects it with another party must keep the key of its leg.
#
# Seen, packets of 50 that baresip says it can't read: first key 0; after the re-INVITE under the new key 50, under the
# first key 0.
set -euo pipefail
baresip=1.0.0-4+b3 re=1.1.0-1+b2 rem=0.6.0-4 srtp=2.5.0-3 pylibsrtp=1.0.0

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
apt-get -o APT::Sandbox::User=root download -qq "baresip-core=$baresip" "libre0=$re" "librem0=$rem" "libsrtp2-1=$srtp"
for package in ./*.deb; do dpkg-deb -x "$package" tree; done
modules=$(dirname "$(find "$work/tree" -name g711.so)")
libraries=$(dirname "$(find "$work/tree" -name 'libre.so*' | head -1)"):$(dirname "$(find "$work/tree" -name 'libsrtp2.so*' | head -1)")
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check "pylibsrtp==$pylibsrtp"

mkdir phone
cat >phone/config <<CONFIG
sip_listen 127.0.0.1:25071
net_interface 127.0.0.1
rtp_ports 25400-25499
module_path $modules
module g711.so
module aubridge.so
module srtp.so
audio_source aubridge,x
audio_player aubridge,x
module_tmp account.so
module_app menu.so
CONFIG
echo '<sip:bob@127.0.0.1:25071;transport=udp>;regint=0;answermode=auto;mediaenc=srtp-mand;audio_codecs=pcmu/8000/1' >phone/accounts

cat >caller.py <<'PY'
import base64, re, socket, struct, sys, time
from pylibsrtp import Policy, Session

sip = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
sip.bind(("127.0.0.1", 25072))
sip.settimeout(3)
rtp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
rtp.bind(("127.0.0.1", 25074))
sequence, tag = 1000, ""

def request(method, number, body=""):
    lines = [f"{method} sip:bob@127.0.0.1:25071 SIP/2.0", f"Via: SIP/2.0/UDP 127.0.0.1:25072;branch=z9hG4bK{method}{number}",
             "Max-Forwards: 70", "From: <sip:alice@127.0.0.1:25072>;tag=a", f"To: <sip:bob@127.0.0.1:25071>{tag}",
             "Call-ID: one", f"CSeq: {number} {method}", "Contact: <sip:alice@127.0.0.1:25072>"]
    lines += ["Content-Type: application/sdp"] if body else []
    sip.sendto("\r\n".join([*lines, f"Content-Length: {len(body)}", "", body]).encode(), ("127.0.0.1", 25071))

def offer(number, key):
    global tag
    lines = ["v=0", f"o=- 1 {number} IN IP4 127.0.0.1", "s=-", "c=IN IP4 127.0.0.1", "t=0 0", "m=audio 25074 RTP/SAVP 0",
             "a=rtpmap:0 PCMU/8000", f"a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:{base64.b64encode(key).decode()}", ""]
    request("INVITE", number, "\r\n".join(lines))
    while True:
        text = sip.recv(65535).decode()
        if text.startswith("SIP/2.0 200") and f"CSeq: {number} INVITE" in text:
            break
    tag = ";tag=" + re.search(r"^To:.*;tag=(\S+)", text, re.M)[1]
    request("ACK", number)
    return int(re.search(r"^m=audio (\d+)", text, re.M)[1])

def unread(port, session):
    """Sends 50 packets and counts those that baresip complains of."""
    global sequence
    before = open("phone.log").read().count("failed to decrypt RTP")
    for _ in range(50):
        sequence += 1
        packet = struct.pack("!BBHII", 0x80, 0, sequence, sequence * 160, 7) + b"\xff" * 160
        rtp.sendto(session.protect(packet), ("127.0.0.1", port))
        time.sleep(0.02)
    time.sleep(0.5)
    return open("phone.log").read().count("failed to decrypt RTP") - before

def sender(key):
    return Session(Policy(key=key, ssrc_type=Policy.SSRC_ANY_OUTBOUND, srtp_profile=Policy.SRTP_PROFILE_AES128_CM_SHA1_80))

first, second = bytes(range(30)), bytes(range(100, 130))
one, two = sender(first), sender(second)
port = offer(1, first)
print("first key:", unread(port, one))
port = offer(2, second)
print("after the re-INVITE, new key:", unread(port, two))
print("after the re-INVITE, first key:", unread(port, one))
request("BYE", 3)
PY
LD_LIBRARY_PATH=$libraries timeout 20 "$work/tree/usr/bin/baresip" -f phone </dev/null >phone.log 2>&1 &
phone=$!
sleep 1.5
venv/bin/python caller.py | tee seen
kill "$phone" 2>/dev/null || true
wait "$phone" || true
diff - seen <<'EXPECTED'
first key: 0
after the re-INVITE, new key: 50
after the re-INVITE, first key: 0
EXPECTED

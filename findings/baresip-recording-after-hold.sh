#!/usr/bin/env bash
# baresip 1.0.0 (Debian 12): its module sndfile, which writes down what a call says and hears, stops at the first re-INVITE
# that holds the call, and does not go on when the call is resumed: both phones hear each other again, and neither file grows. So
# a recording tells only of the time until the first hold, on either side of it, and its length is not that of the call.
#
# Seen, bytes that the file of what the callee hears grew by: more than 16,000 in the 2 s before the hold, and 0 in 4 s after
# it was resumed, while the phone reports 40 kbit/s and more of received audio.
set -euo pipefail
baresip=1.0.0-4+b3 re=1.1.0-1+b2 rem=0.6.0-4

work=$(mktemp -d)
trap 'kill $(jobs -p) 2>/dev/null || true; rm -rf "$work"' EXIT
cd "$work"
apt-get -o APT::Sandbox::User=root download -qq "baresip-core=$baresip" "libre0=$re" "librem0=$rem" libsndfile1
for package in ./*.deb; do dpkg-deb -x "$package" tree; done
modules=$(dirname "$(find "$work/tree" -name g711.so)")
libraries=$(dirname "$(find "$work/tree" -name 'libre.so*' | head -1)"):$(dirname "$(find "$work/tree" -name 'libsndfile.so*' | head -1)")
python3 -c 'import wave; w = wave.open("noise.wav", "wb"); w.setparams((1, 2, 8000, 0, "NONE", "")); w.writeframes(b"\x10\x20\x80\x90" * 240000)'

phone() {
    mkdir -p "$1/heard"
    cat >"$1/config" <<CONFIG
poll_method epoll
sip_listen 127.0.0.1:$2
net_interface 127.0.0.1
rtp_ports $3
audio_source aufile,$work/noise.wav
audio_player aubridge,x
ausrc_srate 8000
auplay_srate 8000
ausrc_channels 1
auplay_channels 1
snd_path $work/$1/heard
module_path $modules
module g711.so
module aufile.so
module aubridge.so
module sndfile.so
module_tmp account.so
module_app menu.so
module_app ctrl_tcp.so
ctrl_tcp_listen 127.0.0.1:$4
CONFIG
    echo "<sip:$1@127.0.0.1:$2;transport=udp>;regint=0;answermode=auto;audio_codecs=pcmu/8000/1" >"$1/accounts"
    LD_LIBRARY_PATH=$libraries timeout 40 "$work/tree/usr/bin/baresip" -f "$1" </dev/null >"$1.log" 2>&1 &
}
say() {
    local json="{\"command\":\"$1\",\"params\":\"${2:-}\"}"
    exec 5<>/dev/tcp/127.0.0.1/25083
    printf '%d:%s,' ${#json} "$json" >&5
    sleep 0.5
    exec 5>&-
}
heard() { cat callee/heard/*-dec.wav | wc -c; }

phone callee 25081 25500-25599 25084
phone caller 25091 25600-25699 25083
sleep 1.5
say dial sip:callee@127.0.0.1:25081
sleep 1
first=$(heard)
sleep 2
before=$(($(heard) - first))
say hold
sleep 1
say resume
sleep 0.5
held=$(heard)
sleep 4
after=$(($(heard) - held))
rate=$(tr '\r' '\n' <callee.log | grep -aoE 'audio=[0-9]+/[0-9]+' | tail -n 1 | cut -d/ -f2)
echo "grew by $before before the hold, by $after after it, when $rate bit/s came"
[ "$before" -gt 16000 ] && [ "$after" = 0 ] && [ "$rate" -gt 40000 ]

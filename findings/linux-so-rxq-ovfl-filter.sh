#!/usr/bin/env bash
# Linux (seen with 6.18): SO_RXQ_OVFL is documented in socket(7) as the number of packets dropped by the socket since its
# creation, and read as "my receive buffer was full". It also counts what a classic BPF filter of the socket rejects
# (SO_ATTACH_FILTER): whoever sheds a flood by a filter and takes SO_RXQ_OVFL for its own overflow believes that it reads too
# slowly, while its buffer was never full. So keep the two apart: read the counter when the filter is attached and when it is
# taken off, and take what came in between for the filter's.
#
# Seen: 5 datagrams that a filter rejects and one that it lets pass: the counter beside the one says 5, with nothing else sent.
set -euo pipefail
python3 - <<'PY'
import ctypes, platform, socket, struct

SO_ATTACH_FILTER, SO_RXQ_OVFL = 26, 40
receiver, sender = (socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in "ab")
receiver.bind(("127.0.0.1", 0))
receiver.settimeout(5)
receiver.setsockopt(socket.SOL_SOCKET, SO_RXQ_OVFL, 1)
# ld byte [8], the first behind the UDP header; if it is 'x' drop, else take all.
program = [(0x30, 0, 0, 8), (0x15, 0, 1, ord("x")), (0x06, 0, 0, 0), (0x06, 0, 0, 0xFFFF)]
code = ctypes.create_string_buffer(b"".join(struct.pack("HBBI", *one) for one in program))
receiver.setsockopt(socket.SOL_SOCKET, SO_ATTACH_FILTER, struct.pack("HL", len(program), ctypes.addressof(code)))
for body in [b"x"] * 5 + [b"y"]:
    sender.sendto(body, receiver.getsockname())
data, ancillary, _, _ = receiver.recvmsg(100, 100)
dropped = [struct.unpack("I", value)[0] for level, kind, value in ancillary if kind == SO_RXQ_OVFL]
print(f"Linux {platform.release()}: read {data}, SO_RXQ_OVFL says {dropped}")
assert data == b"y" and dropped == [5], "this has changed"
PY

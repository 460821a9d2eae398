"""A service manager that holds the socket of the API over restarts, as systemd does: hand_over.py PROGRAM HOST PORT.

Clients ask all the time, and none may be refused or left without an answer. Source: sd_listen_fds(3).
"""

import os
import signal
import socket
import sys
import threading
import time

program, host, port = sys.argv[1], sys.argv[2], int(sys.argv[3])
listener = socket.create_server((host, port), backlog=1024)
LIMIT = 30


def start():
    pid = os.fork()
    if pid == 0:
        os.dup2(listener.fileno(), 3)
        os.set_inheritable(3, True)
        os.environ.update(LISTEN_PID=str(os.getpid()), LISTEN_FDS="1")
        os.execv(program, [program, "run", "--config", "gateway.toml", "--drain", "1"])
    return pid


def ask():
    with socket.create_connection((host, port), timeout=LIMIT) as client:
        client.sendall(b"GET /voice-connectors HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        answer = b""
        while part := client.recv(4096):
            answer += part
    assert answer.startswith(b"HTTP/1.1 401 "), answer


failures, answered, over = [], [0], threading.Event()


def go_on():
    while not over.is_set():
        try:
            ask()
            answered[0] += 1
        except Exception as failure:
            failures.append(repr(failure))
        time.sleep(0.01)


pid = start()
ask()
clients = [threading.Thread(target=go_on) for _ in range(4)]
for client in clients:
    client.start()
for _ in range(3):
    before = answered[0]
    os.kill(pid, signal.SIGTERM)
    _, status = os.waitpid(pid, 0)
    assert status == 0, status
    time.sleep(0.5)
    pid = start()
    until = time.monotonic() + LIMIT
    while answered[0] < before + 40 and time.monotonic() < until:
        time.sleep(0.05)
over.set()
for client in clients:
    client.join()
os.kill(pid, signal.SIGTERM)
os.waitpid(pid, 0)
print(answered[0], "answered,", len(failures), "not")
assert not failures, failures[:5]
assert answered[0] > 100, answered

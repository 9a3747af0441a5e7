"""One swift-* program of the cluster: becomes ours, or stands for a fork of stock's.

    python -SE saio_program.py FOLDER NAME [ARG...]

Signals are passed on, the exit status is the fork's. Imports little: this is run very often.
"""
import os
import signal
import socket
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

from martlet_saio import table  # noqa: E402

PASSED_ON = (signal.SIGTERM, signal.SIGHUP, signal.SIGINT, signal.SIGUSR1)


def become(program, arguments):
    os.execv(program, [program] + arguments)


def stand_for_fork(folder, name, arguments):
    import json
    early = []
    for number in PASSED_ON:
        signal.signal(number, lambda number, _: early.append(number))
    server = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    server.connect(os.path.join(folder, 'programs'))
    request = {'name': name, 'arguments': arguments, 'cwd': os.getcwd(), 'environ': dict(os.environ)}
    socket.send_fds(server, [json.dumps(request).encode()], [0, 1, 2])
    # Whoever waits for the end of our output waits for the fork's.
    null = os.open(os.devnull, os.O_RDWR)
    for fd in (0, 1, 2):
        os.dup2(null, fd)
    pid = int(server.recv(32))
    for number in PASSED_ON:
        signal.signal(number, lambda number, _: pass_on(pid, number))
    for number in early:
        pass_on(pid, number)
    status = int(server.recv(32) or 1)
    if status < 0:
        signal.signal(-status, signal.SIG_DFL)
        os.kill(os.getpid(), -status)
    sys.exit(status)


def pass_on(pid, number):
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        pass


def main():
    folder, name, arguments = sys.argv[1], sys.argv[2], sys.argv[3:]
    program = table.entry(folder, name, arguments[0] if arguments else '').get('exec')
    if program:
        table.count(folder, name, 'martlet')
        become(program, arguments)
    table.count(folder, name, 'stock')
    stand_for_fork(folder, name, arguments)


if __name__ == '__main__':
    main()

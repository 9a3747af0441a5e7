"""The programs of a whole stock Swift, from one warm interpreter that forks a child per start.

    python saio.py FOLDER

FOLDER holds what the testkit wrote: rings.json, programs.json (see martlet_saio.table) and, once
this has printed `ready`, the socket `programs`. Whoever runs one of the cluster's swift-* programs
runs saio_program.py, which connects there; the fork then is that program, with its arguments, its
stdout and its entry point, without the half second of imports. When the client dies, so does the
fork, as a process that is killed would.
"""
import json
import os
import select
import signal
import socket
import sys

from martlet_saio import child, rings

# Taken before a program's monkey patching could put something else in their places.
POLL, READ, WAITPID = select.poll, os.read, os.waitpid
LARGEST_REQUEST = 1 << 20


class Programs:
    """Children by pid, each with the connection of the client that stands for it."""

    def __init__(self, folder):
        self.folder = folder
        self.listener = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.listener.bind(os.path.join(folder, 'programs'))
        self.listener.listen(128)
        self.wake, wake_writer = os.pipe()
        for fd in (self.wake, wake_writer):
            os.set_blocking(fd, False)
        signal.set_wakeup_fd(wake_writer, warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        self.clients = {}
        self.poll = POLL()
        for fd in (self.wake, self.listener.fileno(), 0):
            self.poll.register(fd, select.POLLIN)

    def run(self):
        """Until stdin ends, which is held open by the testkit."""
        while True:
            for fd, _ in self.poll.poll():
                if fd == 0:
                    return
                elif fd == self.wake:
                    self.reap()
                elif fd == self.listener.fileno():
                    self.start()
                else:
                    self.abandoned(fd)

    def start(self):
        client, _ = self.listener.accept()
        message, fds, _, _ = socket.recv_fds(client, LARGEST_REQUEST, 3)
        if not message:
            client.close()
            return
        request = json.loads(message)
        pid = os.fork()
        if pid == 0:
            signal.set_wakeup_fd(-1)
            self.listener.close()
            for _, other in self.clients.values():
                other.close()
            client.close()
            child.become(self.folder, request, fds)
        for fd in fds:
            os.close(fd)
        reply(client, pid)
        self.clients[client.fileno()] = (pid, client)
        self.poll.register(client.fileno(), select.POLLIN)

    def reap(self):
        try:
            READ(self.wake, 4096)
        except BlockingIOError:
            pass
        while True:
            try:
                pid, status = WAITPID(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if pid == 0:
                return
            for fd, (known, client) in list(self.clients.items()):
                if known == pid:
                    self.forget(fd)
                    reply(client, os.waitstatus_to_exitcode(status))
                    client.close()

    def abandoned(self, fd):
        """The client has been killed: what it stood for goes with it."""
        if fd not in self.clients:
            return
        pid, client = self.clients[fd]
        self.forget(fd)
        client.close()
        for kill in (os.kill, os.killpg):
            try:
                kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass

    def forget(self, fd):
        self.poll.unregister(fd)
        del self.clients[fd]


def reply(client, number):
    try:
        client.sendall(b'%d' % number)
    except OSError:
        pass  # the client has died, which is noticed by itself


def main():
    folder = sys.argv[1]
    with open(os.path.join(folder, 'rings.json')) as file:
        rings.write(json.load(file))
    programs = Programs(folder)
    child.warm_up()
    print('ready', flush=True)
    programs.run()


if __name__ == '__main__':
    main()

"""A fork of the warm interpreter becomes a program."""
import ctypes
import importlib
import importlib.metadata
import os
import signal
import socket
import sys
import time
import traceback

from martlet_saio import reset, table

PR_SET_PDEATHSIG = 1
LIBC = ctypes.CDLL(None, use_errno=True)
LISTENS_WITHIN = 30

# What is slow to import and often started.
WARM = [
    'swift.account.auditor', 'swift.account.reaper', 'swift.account.replicator', 'swift.account.server',
    'swift.container.auditor', 'swift.container.reconciler', 'swift.container.replicator',
    'swift.container.server', 'swift.container.sharder', 'swift.container.sync',
    'swift.container.updater', 'swift.cli.orphans', 'swift.obj.auditor', 'swift.obj.expirer',
    'swift.obj.reconstructor', 'swift.obj.replicator', 'swift.obj.server', 'swift.obj.updater',
    'swift.proxy.server', 'swift.common.manager']


def warm_up():
    for module in WARM:
        importlib.import_module(module)
    for group in ('paste.app_factory', 'paste.filter_factory'):
        for point in importlib.metadata.distribution('swift').entry_points.select(group=group):
            try:
                point.load()
            except ImportError:
                pass  # middleware whose own needs nobody installed, and no pipeline here names


def main_of(name):
    """The function that pip's script of this name calls."""
    if name == 'resetswift':
        return reset.main
    for point in importlib.metadata.distribution('swift').entry_points:
        if point.group == 'console_scripts' and point.name == name:
            return point.load()
    raise SystemExit('stock Swift has no program ' + name)


def become(folder, request, fds):
    """Never returns. What the program leaves is its exit status."""
    os.setsid()
    die_with_parent()
    for target, fd in enumerate(fds):
        os.dup2(fd, target)
        os.close(fd)
    os.chdir(request['cwd'])
    os.environ.clear()
    os.environ.update(request['environ'])
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    name, arguments = request['name'], request['arguments']
    entry = table.entry(folder, name, arguments[0] if arguments else '')
    if 'beside' in entry:
        start_beside(folder, entry['beside'])
    if 'conf' in entry:
        arguments = [entry['conf']] + arguments[1:]
    run(name, arguments, folder)


def run(name, arguments, folder):
    sys.argv = [name] + arguments
    os.environ['MARTLET_SAIO'] = folder
    status = 0
    try:
        returned = main_of(name)()
        raise SystemExit(returned)
    except SystemExit as end:
        status = exit_status(end.code)
    except BaseException:
        traceback.print_exc()
        status = 1
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except (OSError, ValueError):
            pass
    os._exit(status)


def exit_status(code):
    if code is None or isinstance(code, int):
        return (code or 0) & 0xff
    print(code, file=sys.stderr)
    return 1


def die_with_parent():
    LIBC.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


def start_beside(folder, beside):
    """Starts the server that lives as long as this process, and waits until it listens."""
    table.count(folder, beside['name'], 'martlet' if beside['exec'] else 'stock')
    pid = os.fork()
    if pid == 0:
        os.setsid()
        die_with_parent()
        out = os.open(os.path.join(folder, 'beside.stderr'), os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
        null = os.open(os.devnull, os.O_RDONLY)
        for target, fd in enumerate((null, out, out)):
            os.dup2(fd, target)
        if beside['exec']:
            os.execv(beside['exec'], [beside['exec'], beside['conf'], 'serve'])
        run(beside['name'], [beside['conf']], folder)
    wait_listening(tuple(beside['address']))


def wait_listening(address):
    """Whoever starts a program takes the end of its output for readiness; so both have to be ready."""
    until = time.monotonic() + LISTENS_WITHIN
    while time.monotonic() < until:
        try:
            socket.create_connection(address, timeout=1).close()
            return
        except OSError:
            time.sleep(0.01)
    sys.exit('nothing listens at %s:%d' % address)

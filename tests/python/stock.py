"""Stock Swift as a service of the testkit: one warm interpreter that forks a child per command.

    python stock.py SWIFT_DIR < commands.jsonl > replies.jsonl

Every line on stdin is a JSON object with an "op"; every line on stdout is {"ok": value} or
{"error": text}. Each command runs in a fresh fork, so that a pass of stock's replicator starts from
the state a newly started daemon has, without the half second an interpreter costs. Servers and
replicators of several passes stay alive until they are stopped, until stdin ends or until this process dies, whichever comes first.

swift.conf is read from SWIFT_DIR, which stock's own entry points would not do.
"""
import json
import os
import signal
import sys
import traceback
# Kept, because eventlet takes it out of the module.
from select import poll

import eventlet.hubs
from swift.common import utils

utils.set_swift_dir(sys.argv[1])

from martlet_stock import commands  # noqa: E402  (the policies are read when this is imported)
from martlet_stock.lifetime import die_with  # noqa: E402

# What every daemon does first costs more than all else in a pass over few databases. The hub is each child's own.
utils.monkey_patch()
eventlet.hubs.use_hub(utils.get_hub())

# Seconds after which a command has failed, if it asks for no other limit: stock can loop for ever over a damaged database.
LIMIT = 300

# Process groups of others (ours, rsync daemons) that must not outlive the test process.
watched = set()
# Servers, and replicators that make several passes.
staying = set()


def detach_stdio():
    null = os.open(os.devnull, os.O_RDWR)
    os.dup2(null, 0)
    os.dup2(2, 1)


def read_reply(reader):
    """All of the pipe; ends everything if whoever asked goes away meanwhile."""
    waiting = poll()
    waiting.register(reader)
    waiting.register(0, 0)
    parts = []
    while True:
        ready = dict(waiting.poll())
        if 0 in ready:
            end_everything()
            os._exit(1)
        part = os.read(reader, 1 << 16)
        if not part:
            os.close(reader)
            return b''.join(parts).decode()
        parts.append(part)


def in_child(command, request):
    """Fork, run the command, send its reply back; the parent returns the parsed reply."""
    reader, writer = os.pipe()
    parent = os.getpid()
    pid = os.fork()
    if pid == 0:
        die_with(parent)
        signal.alarm(request.get('limit', LIMIT))
        os.close(reader)
        detach_stdio()
        try:
            reply = {'ok': command(request)}
        except BaseException:
            reply = {'error': traceback.format_exc()}
        with os.fdopen(writer, 'w') as pipe:
            json.dump(reply, pipe)
        os._exit(0)
    os.close(writer)
    text = read_reply(reader)
    _, status = os.waitpid(pid, 0)
    if not text:
        return {'ok': {'status': os.waitstatus_to_exitcode(status)}}
    return json.loads(text)


def stay(command, request):
    """Fork a process that stays; its log tells whether it came up, a server's port when."""
    parent = os.getpid()
    pid = os.fork()
    if pid == 0:
        die_with(parent)
        detach_stdio()
        try:
            command(request)
        except BaseException:
            traceback.print_exc()
        os._exit(1)
    staying.add(pid)
    return {'ok': pid}


def stop(request):
    pid = request['pid']
    staying.discard(pid)
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
    return {'ok': None}


def watch(request):
    watched.add(request['pgid'])
    return {'ok': None}


def forget(request):
    watched.discard(request['pgid'])
    return {'ok': None}


def end_everything():
    for pid in staying:
        os.kill(pid, signal.SIGKILL)
    for pgid in watched:
        try:
            os.killpg(pgid, signal.SIGKILL)
        except ProcessLookupError:
            pass


def answer(request):
    here = {'stop': stop, 'watch': watch, 'forget': forget}
    op = request['op']
    if op in commands.STAYING:
        return stay(commands.STAYING[op], request)
    if op in here:
        return here[op](request)
    return in_child(commands.FORKED[op], request)


def main():
    # A replicator begins its passes by it; one that comes before it is waited for is kept.
    signal.pthread_sigmask(signal.SIG_BLOCK, {commands.BEGIN_PASS})
    replies = os.fdopen(os.dup(1), 'w')
    try:
        for line in sys.stdin:
            try:
                reply = answer(json.loads(line))
            except Exception:
                reply = {'error': traceback.format_exc()}
            replies.write(json.dumps(reply) + '\n')
            replies.flush()
    finally:
        end_everything()


if __name__ == '__main__':
    main()

"""What stands in programs.json, and the count of starts.

    {PROGRAM: {CONF: {"exec": path, "conf": path, "beside": {...}}}}

PROGRAM and CONF are the words a start is called with; all that is said of them is optional:
exec    a program to become in place of stock's
conf    the file that is passed on in CONF's place
beside  a server that lives and dies with this one: {"exec": path or null, "name": stock's program,
        "conf": path, "address": [ip, port]}; it listens before this one starts
"""
import json
import os


def entry(folder, name, conf):
    with open(os.path.join(folder, 'programs.json')) as file:
        return json.load(file).get(name, {}).get(conf, {})


def count(folder, name, whose):
    """A line per start, as long as nobody asks: `NAME stock` or `NAME martlet`."""
    line = '%s %s\n' % (name, whose)
    starts = os.open(os.path.join(folder, 'starts'), os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    os.write(starts, line.encode())
    os.close(starts)

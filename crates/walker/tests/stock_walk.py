"""Stock Swift's answers for the differential tests; run by its own Python, answers as JSON on stdout."""
import json
import os
import sys

from swift.common import constraints, db_replicator, utils


def walk(roots):
    """Walks the datadirs together: [[partition, path, root], ...], and the error that ended the pass."""
    found, error = [], None
    datadirs = [(root, root, lambda partition: True) for root in roots]
    try:
        for partition, path, root in db_replicator.roundrobin_datadirs(datadirs):
            found.append([int(partition), path, root])
    except OSError as err:
        error = str(err)
    return {'found': found, 'error': error}


def drives(root, mount_check):
    """What check_drive says of everything in a root and of a name that is not there."""
    answers = {}
    for name in sorted(os.listdir(root)) + ['missing']:
        try:
            answers[name] = constraints.check_drive(root, name, mount_check == 'enforced')
        except ValueError as err:
            answers[name] = str(err)
    return answers


def rate(per_second, gaps):
    """The waits for turns that come so many seconds after the end of the wait before."""
    waits = []

    class Limiter(utils.AbstractRateLimiter):
        def _sleep(self, seconds):
            waits[-1] = seconds

    limiter, now = Limiter(float(per_second)), 1.0e9
    for gap in json.loads(gaps):
        waits.append(0.0)
        now += gap
        limiter.wait(now=now)
        now += waits[-1]
    return waits


def unlink(device, mtime):
    """What is left in tmp after unlink_older_than."""
    tmp = os.path.join(device, 'tmp')
    utils.unlink_older_than(tmp, float(mtime))
    return sorted(os.listdir(tmp))


if __name__ == '__main__':
    command, args = sys.argv[1], sys.argv[2:]
    if command == 'walk':
        answer = walk(args)
    else:
        answer = {'drives': drives, 'rate': rate, 'unlink': unlink}[command](*args)
    print(json.dumps(answer))

"""What one pass costs as the kernel counts it, stock's and ours by the same clock."""
import os
import sys
import time
import traceback

from martlet_stock.lifetime import die_with

# Seconds between two looks at a child.
PACE = 0.001


def of_child(run, program=None):
    """Wall and CPU in seconds and the largest resident set in KiB of `run` in a process of its own, with what it waited for.

    program: what `run` makes of the process, if it does; only its own memory counts, 0 if it ended before it was seen.
    """
    parent, began = os.getpid(), time.monotonic()
    pid = os.fork()
    if pid == 0:
        run_and_exit(parent, run)
    peak = 0
    while True:
        if program is None or runs(pid, program):
            peak = peak_of(pid) or peak
        ended, status, usage = os.wait4(pid, os.WNOHANG)
        if ended:
            return {'status': os.waitstatus_to_exitcode(status), 'wall': time.monotonic() - began,
                    'cpu': usage.ru_utime + usage.ru_stime, 'peak_kib': peak}
        time.sleep(PACE)


def run_and_exit(parent, run):
    status = 1
    try:
        die_with(parent)
        run()
        status = 0
    except SystemExit as end:
        status = end.code if isinstance(end.code, int) else int(end.code is not None)
        if status and end.code != status:
            sys.stderr.write('%s\n' % end.code)
    except BaseException:
        traceback.print_exc()
    finally:
        os._exit(status)


def runs(pid, program):
    try:
        return os.path.samefile('/proc/%d/exe' % pid, program)
    except OSError:
        # It has ended just now.
        return False


def peak_of(pid):
    """Of the program that the process is now, 0 at its end; rusage would count the one that it was before, too."""
    with open('/proc/%d/status' % pid) as status:
        for line in status:
            if line.startswith('VmHWM:'):
                return int(line.split()[1])
    return 0


def of_program(request):
    """request: argv."""
    program = request['argv'][0]
    return of_child(lambda: os.execv(program, request['argv']), program)

"""What a program costs from its start to its exit, as the kernel counts it, stock's and ours by the same clock."""
import os
import time

from martlet_stock.lifetime import die_with

# Seconds between two looks at a child.
PACE = 0.001


def of_program(request):
    """Wall and CPU in seconds, children included, and the largest resident set in KiB of `argv`.

    Memory is looked at only once the child is the program; 0 if it ended before it was seen.
    """
    argv = request['argv']
    parent, began = os.getpid(), time.monotonic()
    pid = os.fork()
    if pid == 0:
        try:
            die_with(parent)
            os.execv(argv[0], argv)
        finally:
            os._exit(1)
    peak = 0
    while True:
        if runs(pid, argv[0]):
            peak = peak_of(pid) or peak
        ended, status, usage = os.wait4(pid, os.WNOHANG)
        if ended:
            return {'status': os.waitstatus_to_exitcode(status), 'wall': time.monotonic() - began,
                    'cpu': usage.ru_utime + usage.ru_stime, 'peak_kib': peak}
        time.sleep(PACE)


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

"""What one pass costs as the kernel counts it, stock's and ours by the same clock."""
import os
import time
import traceback

from martlet_stock.lifetime import die_with


def of_child(run):
    """Wall and CPU in seconds and the largest resident set in KiB of `run` in a process of its own, with what it waited for."""
    parent, began = os.getpid(), time.monotonic()
    pid = os.fork()
    if pid == 0:
        die_with(parent)
        status = 1
        try:
            run()
            status = 0
        except SystemExit as end:
            status = end.code or 0
        except BaseException:
            traceback.print_exc()
        os._exit(status)
    _, status, usage = os.wait4(pid, 0)
    return {'status': os.waitstatus_to_exitcode(status), 'wall': time.monotonic() - began,
            'cpu': usage.ru_utime + usage.ru_stime, 'peak_kib': usage.ru_maxrss}


def of_program(request):
    """request: argv."""
    return of_child(lambda: os.execv(request['argv'][0], request['argv']))

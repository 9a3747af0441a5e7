"""Runs upstream's probe tests in the cluster that is laid out here, each in a fork of its own.

    python probe_tests.py LOG_FOLDER SECONDS MODULE... [-- WANTED...]

A test runs if one of WANTED occurs in its name, `MODULE:CLASS.TEST`; without WANTED all run. One
that takes longer than SECONDS is killed. Every line on stdout is a JSON object:
{"names": [...]} first, then for every test {"begins": name} and
{"name", "outcome": "ok" | "FAIL" | "skip", "reason", "seconds", "log", "error": the first traceback}.
"""
# What is needed later is bound now: upstream's tests put eventlet's in the places of many functions.
import json
import os
import select
import signal
import sys
import time
import traceback
import unittest

POLL, READ, WAITPID, NOW = select.poll, os.read, os.waitpid, time.monotonic
# Of a traceback, so that an answer fits into a pipe.
LONGEST = 16000
RESULTS = os.fdopen(os.dup(1), 'w')


def tell(line):
    RESULTS.write(json.dumps(line) + '\n')
    RESULTS.flush()


def flat(suite):
    for test in suite:
        if isinstance(test, unittest.TestSuite):
            yield from flat(test)
        else:
            yield test


def collect(modules, wanted):
    """Name → test, in the order of the modules."""
    tests = {}
    for module in modules:
        for test in flat(unittest.defaultTestLoader.loadTestsFromName('test.probe.' + module)):
            # Modules import test classes of others; a module that cannot be imported is a test that fails.
            home, _, name = test.id().rpartition(module + '.')
            name = '%s:%s' % (module, name)
            if home in ('test.probe.', 'unittest.loader._FailedTest.test.probe.') and (
                    not wanted or any(one in name for one in wanted)):
                tests[name] = test
    return tests


class Outcome(unittest.TestResult):
    """Keeps the first thing that was not in order."""

    def __init__(self):
        super().__init__()
        self.outcome, self.reason, self.traceback = 'ok', '', ''

    def note(self, outcome, reason, traceback=''):
        if self.outcome == 'ok':
            self.outcome, self.reason, self.traceback = outcome, reason, traceback

    def failed(self, error):
        text = ''.join(traceback.format_exception(*error))
        print(text, flush=True)
        self.note('FAIL', text.strip().splitlines()[-1], text)

    def addError(self, test, err):
        self.failed(err)

    def addFailure(self, test, err):
        self.failed(err)

    def addSubTest(self, test, subtest, err):
        if err is not None:
            self.failed(err)

    def addSkip(self, test, reason):
        self.note('skip', reason)

    def addUnexpectedSuccess(self, test):
        self.note('FAIL', 'upstream expects this to fail')


def in_fork(test, log, limit):
    """(outcome, reason, traceback) of a run whose output goes to `log`."""
    reader, writer = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.setsid()
        os.close(reader)
        out = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644)
        os.dup2(out, 1)
        os.dup2(out, 2)
        result = Outcome()
        try:
            test.run(result)
            sys.stdout.flush()
        finally:
            os.write(writer, json.dumps([result.outcome, result.reason, result.traceback[-LONGEST:]]).encode())
            os._exit(0)
    os.close(writer)
    answer = answer_within(reader, limit)
    os.close(reader)
    if not answer:
        os.killpg(pid, signal.SIGKILL)
        WAITPID(pid, 0)
        return 'FAIL', 'killed after %d s, or ended without an answer' % limit, ''
    WAITPID(pid, 0)
    return json.loads(answer)


def answer_within(reader, limit):
    poll = POLL()
    poll.register(reader, select.POLLIN)
    return READ(reader, 1 << 17) if poll.poll(limit * 1000) else b''


def main():
    folder, limit, arguments = sys.argv[1], int(sys.argv[2]), sys.argv[3:]
    end = arguments.index('--') if '--' in arguments else len(arguments)
    tests = collect(arguments[:end], arguments[end + 1:])
    tell({'names': list(tests)})
    for name, test in tests.items():
        tell({'begins': name})
        started = NOW()
        log = os.path.join(folder, name.replace(':', '.') + '.log')
        outcome, reason, error = in_fork(test, log, limit)
        tell({'name': name, 'outcome': outcome, 'reason': reason,
              'seconds': round(NOW() - started, 1), 'log': log, 'error': error})


if __name__ == '__main__':
    main()

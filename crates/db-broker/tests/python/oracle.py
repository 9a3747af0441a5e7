"""Stock Swift's brokers as a service: one JSON command per line in, one JSON answer per line out.

A command is {"do": NAME, ...}; an answer is {"ok": VALUE} or {"error": TEXT}.
"""
import json
import os
import sys
import traceback

import operations
import generations
import dump
import entries
import preallocation
import races

COMMANDS = {
    'build': generations.build,
    'dump': dump.dump,
    'apply': operations.apply,
    'apply_preallocating': preallocation.apply,
    'fill_queue': operations.fill_queue,
    'pending': entries.write,
    'encode_pending': entries.encode,
    'sql': dump.run_sql,
    'timestamps': operations.timestamps,
    'start_put': races.start_put,
    'start_update': races.start_update,
    'finish': races.finish,
    'handoff_cleanup': races.handoff_cleanup,
    'rsync_then_merge': races.rsync_then_merge,
    'sync_mode': races.sync_mode,
}


def main():
    answers = os.fdopen(os.dup(1), 'w')
    os.dup2(2, 1)  # whatever stock prints must not get between the answers
    for line in sys.stdin:
        command = json.loads(line)
        try:
            answer = {'ok': COMMANDS[command.pop('do')](**command)}
        except Exception as error:
            answer = {'error': '%s: %s' % (type(error).__name__, error)}
            if os.environ.get('ORACLE_TRACEBACKS'):
                traceback.print_exc()
        answers.write(json.dumps(answer) + '\n')
        answers.flush()


if __name__ == '__main__':
    main()

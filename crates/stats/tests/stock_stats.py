"""Stock Swift's answers for the differential tests; run by its own Python with JSON on stdin and stdout."""
import json
import logging
import sys
from unittest import mock

from swift.common import db_replicator, utils
from swift.common.exceptions import DriveNotMounted


class Logger:
    """Keeps what is logged at info and above; statsd calls go nowhere."""

    def __init__(self):
        self.lines = []

    def _keep(self, text, *args, **kwargs):
        args = args[0] if len(args) == 1 and isinstance(args[0], dict) else args
        self.lines.append(text % args if args else text)

    info = warning = error = exception = _keep

    def isEnabledFor(self, level):
        return level > logging.INFO

    def log(self, level, text, *args):
        self._keep(text, *args)

    def debug(self, *args, **kwargs):
        pass

    increment = timing_since = debug


def dump(cache_file):
    """Dumps each dict of the list on stdin into the cache, one after the other."""
    logger = Logger()
    for entries in json.load(sys.stdin):
        utils.dump_recon_cache(entries, cache_file, logger)
    return logger.lines


def dump_often(cache_file, times):
    """Says when it begins, then writes a counter of its own into the cache again and again."""
    print('begun', flush=True)
    logger = Logger()
    for number in range(1, int(times) + 1):
        utils.dump_recon_cache({'stock_%d' % number: number}, cache_file, logger, lock_timeout=30)
    return logger.lines


def make_replicator(nodes=()):
    with mock.patch.object(db_replicator.Replicator, '__init__', lambda self: None):
        replicator = db_replicator.Replicator()
    replicator.logger = Logger()
    replicator.db_logger = db_replicator.BrokerAnnotatedLogger(replicator.logger)
    replicator.reclaim_age, replicator.handoff_delete = 1, 0
    replicator.ring = mock.Mock()
    replicator.ring.get_part.side_effect = lambda *args: 0
    replicator._zero_stats()
    return replicator


def report(cache_file):
    """What _report_stats logs and writes for the stats and the time on stdin."""
    given = json.load(sys.stdin)
    replicator = make_replicator()
    replicator.rcache = cache_file
    replicator.stats = given['stats']
    with mock.patch('time.time', lambda: given['now']):
        replicator._report_stats()
    return replicator.logger.lines


def node(number):
    return {'id': number, 'replication_ip': '10.0.0.%d' % (number % 3), 'device': 'd%d' % number,
            'region': 1}


def fold():
    """The stats that _replicate_object has after the databases on stdin."""
    replicator = make_replicator()
    for database in json.load(sys.stdin):
        replicate(replicator, database)
    return {key: value for key, value in replicator.stats.items() if key != 'start'}


def replicate(replicator, database):
    result, peers = database['result'], {peer['id']: peer for peer in database['peers']}
    replicator.ring.get_part_nodes.return_value = [node(number) for number in database['primaries']]
    replicator.ring.get_more_nodes.side_effect = lambda part: iter(
        [node(number) for number in database['handoffs']])

    def to_node(target, *args):
        peer = peers[target['id']]
        for step in peer['steps']:
            replicator.stats[step] += 1
        if peer['result'] == 'not_mounted':
            raise DriveNotMounted()
        if peer['result'] == 'error':
            raise ValueError('an error')
        return peer['result'] == 'success'

    def cleanup(*args):
        if result in ('removed', 'removed_untidily'):
            replicator.stats['remove'] += 1
        return result not in ('removed_untidily', 'not_removed')

    def delete(*args):
        replicator.stats['remove'] += 1

    broker = mock.Mock(db_file='/srv/node/d0/f.db', path='a/c')
    broker.is_reclaimable.return_value = result == 'reclaimed'
    if result in ('unreadable', 'quarantined'):
        text = 'no such table: x' if result == 'quarantined' else 'locked'
        broker.get_replication_info.side_effect = ValueError(text)
    else:
        broker.get_replication_info.return_value = {'account': 'a', 'container': 'c'}
    replicator.brokerclass = lambda *args, **kwargs: broker
    replicator._repl_to_node, replicator.cleanup_post_replicate = to_node, cleanup
    replicator.delete_db, replicator._reclaim = delete, lambda *args: None
    with mock.patch.object(db_replicator, 'quarantine_db'):
        replicator._replicate_object('0', broker.db_file, database['local'])


if __name__ == '__main__':
    commands = {'dump': dump, 'dump_often': dump_often, 'report': report, 'fold': fold}
    print(json.dumps(commands[sys.argv[1]](*sys.argv[2:])))

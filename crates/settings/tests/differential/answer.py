"""Answers questions about conf files with stock Swift: one JSON object a line in, one out.

An answer is {"ok": ...} or {"error": "ExceptionType: message"}.
"""
import hashlib
import json
import logging
import os
import sys

from swift.common import db_replicator, storage_policy, utils
from swift.account.replicator import AccountReplicator
from swift.container.replicator import ContainerReplicator
from swift.common.utils import config

logging.getLogger('swift.common.storage_policy').addHandler(logging.NullHandler())


def readconf(question):
    conf = config.readconf(question['path'], question['section'])
    del conf['__file__']
    return conf


class Recorder:
    def __init__(self):
        self.lines = []

    def warning(self, line, *args):
        self.lines.append(line % args if args else line)


class Ring:
    replica_count = 1 << 40

    def __init__(self, *args, **kwargs):
        pass


def replicator(question):
    """What stock's replicator makes of a section: its attributes and its warnings."""
    section = '%s-replicator' % question['server_type']
    conf = config.readconf(question['path'], section)
    log = Recorder()
    db_replicator.ring.Ring = Ring
    if question['server_type'] == 'account':
        daemon = AccountReplicator(conf, logger=log)
    else:
        ContainerReplicator.__init__ = db_replicator.Replicator.__init__
        daemon = ContainerReplicator(conf, logger=log)
    reserve, is_percent = config.config_fallocate_value(conf.get('fallocate_reserve', '1%'))
    found = {
        'devices': daemon.root, 'mount_check': daemon.mount_check, 'bind_port': daemon.port,
        'concurrency': daemon.cpool.size, 'per_diff': daemon.per_diff, 'max_diffs': daemon.max_diffs,
        'interval': daemon.interval, 'databases_per_second': daemon.databases_per_second,
        'node_timeout': daemon.node_timeout, 'conn_timeout': daemon.conn_timeout,
        'rsync_compress': daemon.rsync_compress, 'rsync_module': daemon.rsync_module,
        'reclaim_age': daemon.reclaim_age, 'recon_cache_path': daemon.recon_cache_path,
        'handoffs_only': daemon.handoffs_only, 'handoff_delete': daemon.handoff_delete,
        'fallocate_reserve': reserve, 'fallocate_is_percent': is_percent,
        'log_name': conf['log_name'], 'warnings': log.lines,
    }
    return {key: repr(value) if isinstance(value, float) else value for key, value in found.items()}


def swift_conf(question):
    """The salted hash of account `a`, and the policies."""
    utils.SWIFT_CONF_FILE = question['path']
    utils.HASH_PATH_PREFIX = utils.HASH_PATH_SUFFIX = b''
    with open(question['path']):  # at import a missing file is forgiven
        pass
    utils.validate_hash_conf()
    storage_policy.reload_storage_policies()
    salted = utils.HASH_PATH_PREFIX + b'/a' + utils.HASH_PATH_SUFFIX
    return {
        'hash': hashlib.md5(salted, usedforsecurity=False).hexdigest(),
        'policies': [[int(p), p.alias_list, p.is_default, p.is_deprecated] for p in storage_policy._POLICIES],
    }


def rsync_module(question):
    return utils.rsync_module_interpolation(question['template'].rstrip('/'), question['device'])


QUESTIONS = {
    'readconf': readconf,
    'replicator': replicator,
    'swift_conf': swift_conf,
    'rsync_module': rsync_module,
    'int': lambda question: str(int(question['text'])),
    'float': lambda question: repr(float(question['text'])),
    'true': lambda question: config.config_true_value(question['text']),
}


def main():
    answers = os.fdopen(os.dup(1), 'w')
    os.dup2(2, 1)  # whatever stock prints must not mix with the answers
    for line in sys.stdin:
        question = json.loads(line)
        try:
            answer = {'ok': QUESTIONS[question['about']](question)}
        except (Exception, SystemExit) as error:
            answer = {'error': '%s: %s' % (type(error).__name__, error)}
        answers.write(json.dumps(answer) + '\n')
        answers.flush()


main()

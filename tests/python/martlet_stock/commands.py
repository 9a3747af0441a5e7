"""The commands of stock.py, each a function of the request object."""
import os
import signal
import sys

from swift.account import replicator as account_replicator, server as account_server
from swift.common import db_replicator
from swift.common.swob import Response
from swift.common.wsgi import run_wsgi
from swift.container import replicator as container_replicator, server as container_server
from swift.container.reconciler import incorrect_policy_index

from martlet_stock import build, corpora, cost, dump, presharding, rings, seed, verbs

REPLICATORS = {'account': account_replicator, 'container': container_replicator}
# Imported for the warm start only: paste.deploy loads them by name.
SERVERS = {'account': account_server, 'container': container_server}

BEGIN_PASS = signal.SIGUSR1


def replicate(request):
    """One pass of stock's daemon, entered where its command line enters.

    One thing is not stock's: the reply to rsync_then_merge may take node_timeout. Stock waits
    count/2000 seconds, which for a test's small database is less than a scheduler's tick, so that
    success would depend on the machine's load. `hasty` leaves it as it is. `path`: where rsync is looked for.
    """
    plain = db_replicator.Replicator._rsync_db

    def with_time_to_merge(self, *args, **kwargs):
        kwargs.pop('replicate_timeout', None)
        return plain(self, *args, **kwargs)

    if not request.get('hasty'):
        db_replicator.Replicator._rsync_db = with_time_to_merge
    if request.get('presharding'):
        presharding.old_sender()
    if request.get('path'):
        os.environ['PATH'] = request['path']
    sys.argv = ['swift-%s-replicator' % request['type'], request['conf'], 'once'] + request.get('args', [])
    REPLICATORS[request['type']].main()
    return {'status': 0}


def serve(request):
    """Stock's server, with one more log line per call: `course: OP STATUS HASH DEVICE`.

    'refusals', if any: hash -> operation -> the status it is answered with, and nothing else done.
    'plain': no such line, as nobody asks for it where costs are measured.
    """
    if request.get('plain'):
        return run_wsgi(request['conf'], '%s-server' % request['type'])
    if request.get('presharding'):
        presharding.old_server()
    refusals = request.get('refusals') or {}
    plain = db_replicator.ReplicatorRpc.dispatch

    def logged(self, replicate_args, args):
        op = args[0] if isinstance(args, list) and args else None
        device, _, hash_ = replicate_args
        refusal = refusals.get(hash_, {}).get(op)
        try:
            response = Response(status=refusal) if refusal else plain(self, replicate_args, args)
        except Exception as error:
            self.logger.info('course: %s %s %s %s', op, type(error).__name__, hash_, device)
            raise
        self.logger.info('course: %s %s %s %s', op, response.status_int, hash_, device)
        return response

    db_replicator.ReplicatorRpc.dispatch = logged
    run_wsgi(request['conf'], '%s-server' % request['type'])


def policy_conflicts(request):
    """For each pair [ours, theirs] of `claims`: whether stock takes the other's policy over."""
    return [incorrect_policy_index(ours, theirs) for ours, theirs in request['claims']]


def passes(request):
    """As replicate, but a pass for each BEGIN_PASS, which is blocked, so that the second one finds a daemon that is warm."""
    name = request['type'].capitalize() + 'Replicator'
    daemon = getattr(REPLICATORS[request['type']], name)
    plain = daemon.run_once

    def run_when_told(self, *args, **kwargs):
        while True:
            signal.sigwait({BEGIN_PASS})
            plain(self, *args, **kwargs)

    daemon.run_once = run_when_told
    replicate(request)


STAYING = {'serve': serve, 'passes': passes}
FORKED = {'replicate': replicate, 'measured program': cost.of_program,
          'corpus': corpora.build, 'change corpus': corpora.change, 'verify corpus': corpora.verify, 'rings': rings.write, 'build': build.suite, 'pend': build.pend,
          'shard': build.shard, 'dump': dump.everything, 'policy_conflicts': policy_conflicts,
          'direct_client': verbs.by_direct_client, 'raw': verbs.raw,
          'seed': seed.build, 'seed features': seed.features}

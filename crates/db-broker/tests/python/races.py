"""Stock's processes next to ours: writers that wait for a lock, and stock's own end of a handoff."""
import os
import subprocess
import sys

from stock import LOGGER, open_broker
from swift.common.db_replicator import Replicator, ReplicatorRpc
from swift.container.replicator import ContainerReplicatorRpc

WRITER = '''
import sys
sys.path.insert(0, {here!r})
from stock import open_broker
broker = open_broker({kind!r}, {file!r}, timeout=20, pending_timeout=20)
info = broker.get_info()  # opens the file as it is now
print('ready', flush=True)
sys.stdin.readline()
print('going', flush=True)
try:
    {action}
except BaseException as error:
    print('error: %s: %s' % (type(error).__name__, error), flush=True)
else:
    print('acknowledged', flush=True)
'''
writers = {}


def start(kind, file, action):
    script = WRITER.format(here=os.path.dirname(os.path.abspath(__file__)), kind=kind, file=file, action=action)
    writer = subprocess.Popen([sys.executable, '-c', script], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                              text=True)
    writers[writer.pid] = writer
    assert writer.stdout.readline() == 'ready\n'
    writer.stdin.write('go\n')
    writer.stdin.flush()
    assert writer.stdout.readline() == 'going\n'
    return writer.pid


def start_put(kind, file, row):
    """A server process that has the database open and acknowledges a row through the pending file."""
    return start(kind, file, 'broker.put_record(%r)' % row)


def start_update(kind, file, rows):
    """A server process that has the database open and merges rows into it."""
    return start(kind, file, 'broker.merge_items(%r)' % rows)


def finish(pid):
    """What a started writer came to: "acknowledged" or "error: ...\"."""
    writer = writers.pop(pid)
    out, _ = writer.communicate(timeout=60)
    return out.strip()


class Quiet:
    def __getattr__(self, name):
        return lambda *args, **kwargs: None


def handoff_cleanup(kind, file, max_row):
    """Stock's cleanup_post_replicate after every peer acknowledged the rows up to max_row."""
    replicator = Replicator.__new__(Replicator)
    replicator.logger = Quiet()
    replicator.db_logger = Quiet()
    replicator.handoff_delete = 0
    replicator.stats = {'remove': 0}
    replicator.extract_device = lambda file: 'sda'
    with open_broker(kind, file) as broker:
        replicator.cleanup_post_replicate(broker, {'max_row': max_row}, [True, True, True])
    return os.path.exists(file)


def rpc(kind, devices):
    """Stock's server side of REPLICATE."""
    from stock import BROKERS
    types = {'account': ReplicatorRpc, 'container': ContainerReplicatorRpc}
    return types[kind](devices, kind + 's', BROKERS[kind], mount_check=False, logger=LOGGER)


def rsync_then_merge(kind, devices, device, file, tmp_name):
    """Stock's rsync_then_merge on a file that lies in DEVICE/tmp; answers with the HTTP status."""
    return rpc(kind, devices).rsync_then_merge(device, file, [tmp_name]).status_int


def sync_mode(kind, file, receiver):
    """Which rows stock's sender would still send: those above the point the receiver stored for it."""
    with open_broker(kind, file) as sender, open_broker(kind, receiver) as peer:
        info = sender.get_replication_info()
        return {'point': peer.get_sync(info['id']), 'max_row': info['max_row']}

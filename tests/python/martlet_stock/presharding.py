"""Stock as it was before shard ranges: what it did not know is taken away from today's."""
from swift.common import db_replicator
from swift.container import replicator

# Operations whose second argument, the file name, came with shard ranges.
NAMELESS = ('complete_rsync', 'rsync_then_merge')


def old_server():
    """Neither the key of the reply nor the operations; a received file is `HASH.db` whatever its sender says."""
    rpc = replicator.ContainerReplicatorRpc
    plain_info, plain_complete = rpc._get_synced_replication_info, rpc.complete_rsync

    def info(self, broker, remote_info):
        known = plain_info(self, broker, remote_info)
        for key in ('shard_max_row', 'db_state'):
            known.pop(key)
        return known

    rpc._get_synced_replication_info = info
    rpc.complete_rsync = lambda self, drive, db_file, args: plain_complete(self, drive, db_file, args[:1])
    del rpc.merge_shard_ranges, rpc.get_shard_ranges


def old_sender():
    """Rows are all there is to replicate."""
    daemon, base = replicator.ContainerReplicator, db_replicator.Replicator
    for name in ('_choose_replication_mode', 'cleanup_post_replicate'):
        setattr(daemon, name, getattr(base, name))
    daemon._fetch_and_merge_shard_ranges = lambda self, http, broker: None
    plain = db_replicator.ReplConnection.replicate
    db_replicator.ReplConnection.replicate = lambda self, *args: plain(
        self, *(args[:2] if args[0] in NAMELESS else args))

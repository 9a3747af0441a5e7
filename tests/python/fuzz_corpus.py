"""Writes the corpus of the fuzz targets anew, from stock's own writers.

    python fuzz_corpus.py TESTS/fuzz/corpus

Runs in the environment that has stock Swift. Ids of databases are drawn, so no two runs write the same bytes.
"""
import array
import base64
import gzip
import hashlib
import hmac
import json
import pickle
import sqlite3
import sys
import tempfile
from pathlib import Path

from swift.common import utils

utils.HASH_PATH_PREFIX = b''
utils.HASH_PATH_SUFFIX = b'changeme'

from swift.account.backend import AccountBroker  # noqa: E402
from swift.common.ring import RingBuilder  # noqa: E402
from swift.common.utils import ShardRange, Timestamp  # noqa: E402
from swift.container.backend import ContainerBroker  # noqa: E402

ACCOUNT, CONTAINER = 'AUTH_test', 'photos'
CREATED = 1700000000
HASH = utils.hash_path(ACCOUNT, CONTAINER)
PEER = '5c1e0000-0000-0000-0000-000000000000-sdb9'

STAT = ['0000000000000000000000000000000f', PEER, '1700000000.00000', '1700000000.00000', '0',
        '{"X-Container-Meta-A": ["b", "1700000000.00000"]}']
OBJECTS = [
    {'ROWID': 1, 'name': 'cat.jpg', 'created_at': '1700000001.00000', 'size': 4096, 'content_type': 'image/jpeg',
     'etag': 'd41d8cd98f00b204e9800998ecf8427e', 'deleted': 0, 'storage_policy_index': 0,
     'ctype_timestamp': None, 'meta_timestamp': None},
    {'ROWID': 2, 'name': 'caf\u00e9/\u732b', 'created_at': '1700000001.00000+f4240+1e8480', 'size': 0,
     'content_type': 'text/plain;swift_bytes=7', 'etag': 'x', 'deleted': 1, 'storage_policy_index': 1,
     'ctype_timestamp': '1700000002.00000', 'meta_timestamp': '1700000003.00000_0000000000000001'},
]
CONTAINERS = [
    {'ROWID': 7, 'name': 'photos', 'put_timestamp': '1700000001.00000', 'delete_timestamp': '0', 'object_count': 3,
     'bytes_used': 77, 'deleted': 0, 'storage_policy_index': 0},
    {'ROWID': 8, 'name': 'gone', 'put_timestamp': '1700000001.00000', 'delete_timestamp': '1700000002.00000',
     'object_count': None, 'bytes_used': '5', 'deleted': 1, 'storage_policy_index': 1},
]
POINTS = [{'remote_id': PEER, 'sync_point': 12}, {'remote_id': 'other', 'sync_point': -1}]


def shard_ranges():
    return [dict(ShardRange('.shards_%s/%s-%d' % (ACCOUNT, CONTAINER, at), Timestamp(CREATED), lower, upper,
                            object_count=5, bytes_used=6, state=ShardRange.CLEAVED, epoch=Timestamp(CREATED + 1)))
            for at, (lower, upper) in enumerate([('', 'm'), ('m', '')])]


def rings(corpus):
    builder = RingBuilder(4, 2.5, 0)
    for id in range(4):
        builder.add_dev({'id': id, 'region': 1, 'zone': id % 2, 'ip': '127.0.0.%d' % (id + 1), 'port': 6201,
                         'device': 'sd%d' % id, 'weight': 100.0, 'replication_ip': '::1', 'replication_port': 6401,
                         'meta': 'rack'})
    builder.rebalance(seed=1)
    builder.remove_dev(2)
    builder.pretend_min_part_hours_passed()
    builder.rebalance(seed=1)
    ring = builder.get_ring()
    for version in (1, 2):
        ring.save(str(corpus / 'ring' / ('v%d' % version)), format_version=version)
    content = corpus / 'ring-content'
    (content / 'v1').write_bytes(gzip.decompress((corpus / 'ring' / 'v1').read_bytes()))
    rows = [array.array('H', row) for row in ring._replica2part2dev_id]
    for row in rows:
        row.byteswap()
    metadata = {'part_shift': ring._part_shift, 'dev_id_bytes': 2, 'version': ring.version}
    table = b''.join(row.tobytes() for row in rows)
    (content / 'v2').write_bytes(b'\n'.join([json.dumps(metadata).encode(), json.dumps(ring.devs).encode(), table]))


SERVER_CONF = """\
[DEFAULT]
devices = /srv/node
mount_check = false
bind_ip = 127.0.0.1
bind_port = {port}
user = swift
log_facility = LOG_LOCAL2
fallocate_reserve = 2%
[pipeline:main]
pipeline = recon {type}-server
[app:{type}-server]
use = egg:swift#{type}
# Both of them.
[{type}-replicator]
concurrency = 4
interval = 1.5
per_diff = 500
rsync_module = {{replication_ip}}::%(name)s_{{device}}
name = {type}
rsync_compress = yes
handoff_delete = 1
reclaim_age = 86400
databases_per_second = 12.5
log_level : DEBUG
serve = yes
replicate_from = 127.0.0.0/8
"""

SWIFT_CONF = """\
[swift-hash]
swift_hash_path_suffix = changeme
swift_hash_path_prefix = pre%%fix
[storage-policy:0]
name = gold
aliases = yellow, Gelb-1
policy_type = replication
default = yes
[storage-policy:1]
name = deepfreeze
policy_type = erasure_coding
ec_type = liberasurecode_rs_vand
ec_num_data_fragments = 4
ec_num_parity_fragments = 2
ec_object_segment_size = 1048576
deprecated = no
[swift-constraints]
max_file_size = 5368709122
"""


def confs(corpus):
    for kind, port in (('account', 6202), ('container', 6201)):
        (corpus / 'server-conf' / kind).write_text(SERVER_CONF.format(type=kind, port=port))
    (corpus / 'server-conf' / 'all-martlet').write_text(
        '[container-replicator]\nforward_to = 127.0.0.1:6001\nmax_clients = 10\nshutdown_grace = 5\n'
        'future_timestamp_limit = 86400\nlog_statsd_host = 127.0.0.1\nlog_udp_host =\nrun_pause = 3\n'
        'db_preallocation = on\nionice_class = IOPRIO_CLASS_IDLE\nset log_level = INFO\n')
    (corpus / 'swift-conf' / 'two-policies').write_text(SWIFT_CONF)
    (corpus / 'swift-conf' / 'salt-only').write_text('[swift-hash]\nswift_hash_path_suffix: changeme\n')


def entry(values, protocol=2):
    return b':' + base64.b64encode(pickle.dumps(values, protocol=protocol))


def pendings(corpus):
    objects = [
        ('o', '0000000001.00000', 5, 'text/plain', 'etag', 0),
        ('o7', '0000000001.00000', 5, 'text/plain', 'etag', 1, 1),
        ('caf\u00e9', '1700000001.00000', 1 << 40, 'text/plain', 'etag', 0, 0, '1700000002.00000', None),
    ]
    containers = [
        ('c', '0000000001.00000', '0', 4, 5, 0),
        ('c7', '0000000001.00000', '0000000002.00000', '4', 5, True, 1),
    ]
    # Python 2 wrote byte strings.
    old = b'\x80\x02(U\x03o\xc3\xa9U\x10' + b'0000000001.00000' + b'K\x05U\x01tU\x01eK\x00t.'
    for name, values in (('objects', objects), ('containers', containers)):
        (corpus / 'pending' / name).write_bytes(b''.join(map(entry, values)))
        for at, value in enumerate(values):
            for protocol in (0, 2, 4):
                path = corpus / 'pending-entry' / ('%s-%d-p%d' % (name, at, protocol))
                path.write_bytes(pickle.dumps(value, protocol=protocol))
    (corpus / 'pending-entry' / 'python2').write_bytes(old)
    (corpus / 'pending' / 'python2').write_bytes(b':' + base64.b64encode(old) + b':' + b':AAAA')


def messages(corpus):
    def put(name, body):
        text = body if isinstance(body, str) else json.dumps(body)
        (corpus / 'message' / name).write_text(text)
    put('sync-7', ['sync', 5] + STAT)
    put('sync-10', ['sync', 5] + STAT + ['1700000000.00000', 3, 1])
    put('merge-syncs', ['merge_syncs', POINTS])
    put('merge-items-objects', ['merge_items', OBJECTS, PEER])
    put('merge-items-containers', ['merge_items', CONTAINERS, PEER])
    put('merge-items-points', ['merge_items', OBJECTS[:1], PEER, POINTS])
    for name, rows in (('objects', OBJECTS), ('containers', CONTAINERS)):
        put('merge-items-lists-' + name, ['merge_items', [list(row.values()) for row in rows], PEER])
    put('complete-rsync', ['complete_rsync', PEER, HASH + '.db'])
    put('rsync-then-merge', ['rsync_then_merge', PEER])
    put('merge-shard-ranges', ['merge_shard_ranges', shard_ranges(), PEER])
    put('get-shard-ranges', ['get_shard_ranges'])
    place = ['sdb1', 7, HASH, 5]
    put('compare', [place + STAT + ['0' * 31 + '1'], place + STAT + ['1700000000.00000', 3, 1, 'f' * 32]])
    put('marks', ''.join('sdb1/%d/%s/%032x\n' % (part, HASH, part << 100) for part in (0, 7)))


def replies(corpus, info):
    def put(name, body):
        (corpus / 'reply' / name).write_text(json.dumps(body))
    for kind, found in info.items():
        put('sync-' + kind, dict(found, point=3))
    put('shard-ranges', shard_ranges())
    put('compare', [200, 409, 404, dict(info['container'], point=3, **{'db_state': 'unsharded'})])


def small_pages(path):
    """Pages of 512 bytes, so that most of the file means something."""
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute('PRAGMA page_size = 512')
    connection.execute('VACUUM')
    connection.close()


def databases(corpus, folder):
    account = AccountBroker(str(folder / 'account.db'), account=ACCOUNT)
    account.initialize(Timestamp(CREATED).internal)
    account.merge_items([dict(row, delete_timestamp=row['delete_timestamp'], object_count=1, bytes_used=2)
                         for row in CONTAINERS], PEER)
    account.merge_syncs(POINTS)
    plain = ContainerBroker(str(folder / 'container.db'), account=ACCOUNT, container=CONTAINER)
    plain.initialize(Timestamp(CREATED).internal, 0)
    plain.merge_items([dict(row) for row in OBJECTS], PEER)
    plain.merge_syncs(POINTS, incoming=False)
    sharded = ContainerBroker(str(folder / 'ranges.db'), account=ACCOUNT, container=CONTAINER)
    sharded.initialize(Timestamp(CREATED).internal, 0)
    sharded.merge_shard_ranges(shard_ranges())
    info = {}
    for broker in (account, plain, sharded):
        broker.update_metadata({'X-Container-Meta-A': ('b', Timestamp(CREATED).internal)})
        info[Path(broker.db_file).stem] = broker.get_replication_info()
    for name in info:
        small_pages(str(folder / (name + '.db')))
        (corpus / 'database' / name).write_bytes((folder / (name + '.db')).read_bytes())
    return info


def signatures(corpus):
    """Not stock's: as fuzz/signatures.rs has them."""
    def digest(content):
        return hashlib.sha256(content).hexdigest()
    head = 'REPLICATE\n/sdb1/7/0123456789abcdef0123456789abcdef\n%d\n%s\n' % (CREATED, digest(b'body'))
    for name, more in (('message', ''),
                       ('file-with-message', 'application/vnd.martlet.database-with-message\n%s\n'
                        % digest(b'["complete_rsync", "t"]'))):
        mac = hmac.new(b'a-secret-of-the-cluster', (head + more).encode(), hashlib.sha256).hexdigest()
        (corpus / 'signature' / name).write_text('v1 %d %s %s' % (CREATED, digest(b'body'), mac))


def main(corpus):
    for name in ('ring', 'ring-content', 'server-conf', 'swift-conf', 'pending', 'pending-entry', 'message', 'signature',
                 'reply', 'database'):
        (corpus / name).mkdir(parents=True, exist_ok=True)
    rings(corpus)
    confs(corpus)
    pendings(corpus)
    messages(corpus)
    signatures(corpus)
    with tempfile.TemporaryDirectory() as folder:
        replies(corpus, databases(corpus, Path(folder)))


if __name__ == '__main__':
    main(Path(sys.argv[1]))

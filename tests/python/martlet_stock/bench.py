"""The workbench a case builds its starting bytes on: placed databases, rows, sync points."""
import os
import uuid

from swift.account.backend import AccountBroker
from swift.common.utils import hash_path, storage_directory
from swift.common.utils.timestamp import Timestamp
from swift.container.backend import ContainerBroker

BROKERS = {'account': AccountBroker, 'container': ContainerBroker}
DAY = 86400
# Offsets in seconds from the moment the starting bytes are built.
CREATED = -9000
RECENT = -3600
# Beyond reclaim_age (7 days); sync rows live twice as long.
ANCIENT = -40 * DAY


class Bench:
    """Where one case lives: a name that hashes to the wanted partition, and its devices.

    `a`, `b`, `c` are the primaries' devices in the ring's order, `h` the first handoff's.
    """

    def __init__(self, site, server_type, title, place):
        """place: account, container, partition, (primaries, handoffs)."""
        self.site = site
        self.type = server_type
        self.title = title
        self.base = site.base
        self.account, self.container, self.part, (self.primaries, self.handoffs) = place
        self.a, self.b, self.c = self.primaries
        self.h = self.handoffs[0] if self.handoffs else None
        self.hash = hash_path(*self.path())

    @classmethod
    def of(cls, site, server_type, case):
        """The bench of a case that was built before, by its entry in the manifest."""
        return cls(site, server_type, case['title'], (
            case['account'], case['container'], case['part'], (case['primaries'], case['handoffs'])))

    def path(self):
        return (self.account,) if self.container is None else (self.account, self.container)

    def ts(self, offset):
        """The internal form of a time `offset` seconds from the base."""
        return Timestamp(self.base + offset).internal

    # Databases

    def db_path(self, device, part=None):
        return os.path.join(
            self.site.roots[device], device,
            storage_directory(self.type + 's', self.part if part is None else part, self.hash),
            self.hash + '.db')

    def broker(self, device, part=None):
        """A broker on what lies at `device`, existing or not."""
        return BROKERS[self.type](self.db_path(device, part), account=self.account,
                                  container=self.container)

    def db_id(self, device, part=None):
        """Of its own also where one device holds the database in two partitions."""
        of = '%s %s' % (self.title, device) if part is None else '%s %s %s' % (self.title, device, part)
        return '%s-%s' % (uuid.uuid5(uuid.NAMESPACE_OID, of), device)

    def create(self, device, rows=(), part=None, put=CREATED, created=CREATED, policy=0):
        """A new database with the rows, in that order; a container in its policy."""
        broker = self.broker(device, part)
        broker.initialize(self.ts(put), *([policy] if self.type == 'container' else []))
        self.stat(broker, created_at=self.ts(created), id=self.db_id(device, part))
        self.merge(broker, rows)
        return broker

    def merge(self, broker, rows):
        """Merge copies: merge_items writes into the rows it is given."""
        if rows:
            broker.merge_items([dict(row) for row in rows])

    def stat(self, broker, **values):
        """Set columns of the stat row."""
        self.sql(broker, 'UPDATE %s_stat SET %s' % (
            self.type, ', '.join('%s = ?' % column for column in values)), tuple(values.values()))

    def sql(self, broker, statement, values=()):
        with broker.get() as conn:
            conn.execute(statement, values)
            conn.commit()

    def link(self, source, target, point=None):
        """As if `source` had been pushed to `target` up to `point` (default: all of it)."""
        if point is None:
            point = source.get_max_row()
        source_id, target_id = source.get_info()['id'], target.get_info()['id']
        target.merge_syncs([{'remote_id': source_id, 'sync_point': point}])
        source.merge_syncs([{'remote_id': target_id, 'sync_point': point}], incoming=False)

    def send(self, source, target, count):
        """What a push of the first `count` rows leaves: rows, and the points on both sides."""
        rows = source.get_items_since(-1, count)
        if rows:
            point = rows[-1]['ROWID']
            target.merge_items(rows, source.get_info()['id'])
            source.merge_syncs([{'remote_id': target.get_info()['id'], 'sync_point': point}], incoming=False)

    def link_all(self, brokers):
        for source in brokers:
            for target in brokers:
                if source is not target:
                    self.link(source, target)

    def triplet(self, rows=()):
        """Three primaries that agree and know it."""
        brokers = [self.create(device, rows) for device in self.primaries]
        self.link_all(brokers)
        return brokers

    # Rows

    def row(self, name, at=RECENT, size=10, **more):
        """A live row: an object, or a container that was PUT at `at` with `size` bytes."""
        if self.type == 'container':
            return dict({'name': name, 'created_at': self.ts(at), 'size': size,
                         'content_type': 'text/plain', 'etag': 'etag-%s' % size, 'deleted': 0,
                         'storage_policy_index': 0, 'ctype_timestamp': None,
                         'meta_timestamp': None}, **more)
        return dict({'name': name, 'put_timestamp': self.ts(at), 'delete_timestamp': '0',
                     'object_count': size // 2, 'bytes_used': size, 'deleted': 0,
                     'storage_policy_index': 0}, **more)

    def tombstone(self, name, at=RECENT):
        if self.type == 'container':
            return self.row(name, at, 0, content_type='application/deleted', etag='noetag', deleted=1)
        return self.row(name, at - 10, 0, delete_timestamp=self.ts(at), deleted=1)

    def rows(self, count, prefix='o', at=RECENT):
        return [self.row('%s%04d' % (prefix, n), at + n / 10.0, 10 + n) for n in range(count)]

    # Pending

    def pend(self, broker, rows):
        """Append rows to the pending file, as the server does on a PUT."""
        for row in rows:
            broker.put_record(row)

    def pend_raw(self, broker, entries):
        with open(broker.pending_file, 'ab') as pending:
            for entry in entries:
                pending.write(b':' + entry)

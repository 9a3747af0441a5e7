"""Logical dumps: what a database says, without what depends on clocks, ids or insertion order."""
import hashlib
import json
import os
import sqlite3

# Written with the present time by whoever acts last; compared only as "during the run".
CLOCKED = ('created_at', 'status_changed_at')


class Dumper:
    """Dumps one server type's trees of a cluster."""

    def __init__(self, request):
        self.type = request['type']
        self.roots = request['roots']
        self.base = request['base']
        self.titles = {case['hash']: case['title'] for case in request['manifest']}
        self.ids = dict(request.get('ids') or {})

    def databases(self):
        """(device, relative folder, absolute folder) of every hash folder."""
        for device, root in sorted(self.roots.items()):
            top = os.path.join(root, device, self.type + 's')
            for folder, names, files in os.walk(top):
                names.sort()
                if len(os.path.basename(folder)) == 32:
                    yield device, os.path.relpath(folder, top), folder

    def collect_ids(self):
        """id → device, of the databases as they are now."""
        found = {}
        for device, _, folder in self.databases():
            for name in os.listdir(folder):
                if name.endswith('.db'):
                    try:
                        found[self.read_id(os.path.join(folder, name))] = device
                    except sqlite3.DatabaseError:
                        continue
        return found

    def read_id(self, path):
        conn = sqlite3.connect('file:%s?mode=ro' % path, uri=True)
        try:
            row = conn.execute('SELECT id FROM %s_stat' % self.type).fetchone()
            return row[0] if row else None
        finally:
            conn.close()

    def clocked(self, value):
        try:
            return 'during the run' if float(str(value).split('_')[0]) > self.base else value
        except ValueError:
            return value

    def stat(self, conn):
        names = [row[1] for row in conn.execute('PRAGMA table_info(%s_stat)' % self.type)]
        rows = [dict(zip(names, row)) for row in conn.execute('SELECT * FROM %s_stat' % self.type)]
        for row in rows:
            row.pop('id', None)
            if row.get('metadata'):
                row['metadata'] = json.loads(row['metadata'])
            for name in CLOCKED:
                row[name] = self.clocked(row.get(name))
            # A ROWID of this replica; compared with the sync points, not with the content.
            row.pop('reconciler_sync_point', None)
        return rows

    def table(self, conn, name, drop=('ROWID',)):
        names = [row[1] for row in conn.execute('PRAGMA table_info(%s)' % name)]
        kept = [column for column in names if column not in drop]
        if not kept:
            return None
        rows = conn.execute('SELECT %s FROM %s' % (', '.join(kept), name)).fetchall()
        return sorted(([dict(zip(kept, row)) for row in rows]), key=lambda row: json.dumps(row, sort_keys=True))

    def syncs(self, conn, name):
        rows = self.table(conn, name, drop=())
        for row in rows:
            row['remote_id'] = self.ids.get(row['remote_id'], 'someone unknown')
            if 'updated_at' in row:
                row['updated_at'] = 'recent' if int(row['updated_at'] or 0) > self.base - 3600 else row['updated_at']
        return sorted(rows, key=lambda row: json.dumps(row, sort_keys=True))

    def schema(self, conn):
        objects = conn.execute("SELECT type, name FROM sqlite_master WHERE name NOT LIKE 'sqlite_%'").fetchall()
        schema = {'%s %s' % pair: None for pair in objects}
        for kind, name in objects:
            if kind in ('table', 'view'):
                schema['%s %s' % (kind, name)] = sorted(
                    '%s %s %s' % (row[1], row[2], row[4]) for row in conn.execute('PRAGMA table_info(%s)' % name))
        return schema

    def hash_of_rows(self, rows):
        """The hash the triggers should have arrived at, from the rows alone."""
        total = 0
        for row in rows or ():
            if self.type == 'container':
                text = '%s-%s' % (row['name'], row['created_at'])
            else:
                parts = [row[key] for key in ('put_timestamp', 'delete_timestamp', 'object_count', 'bytes_used')]
                # In SQL a text joined with a null is null, and chexor writes that as None.
                joined = None if None in parts else '-'.join(str(part) for part in parts)
                text = '%s-%s' % (row['name'], joined)
            total ^= int(hashlib.md5(text.encode('utf8')).hexdigest(), 16)
        return '%032x' % total

    def database(self, path):
        conn = sqlite3.connect('file:%s?mode=ro' % path, uri=True)
        try:
            contains = 'object' if self.type == 'container' else 'container'
            rows = self.table(conn, contains)
            sequence = dict(conn.execute('SELECT name, seq FROM sqlite_sequence').fetchall())
            stat = self.stat(conn)
            return {
                'content': {
                    'stat': stat, 'rows': rows, 'policy_stat': self.table(conn, 'policy_stat'),
                    'shard_ranges': self.table(conn, 'shard_range'),
                    'hash of rows': self.hash_of_rows(rows),
                    'integrity': [row[0] for row in conn.execute('PRAGMA integrity_check')],
                },
                'points': {
                    'incoming': self.syncs(conn, 'incoming_sync'),
                    'outgoing': self.syncs(conn, 'outgoing_sync'),
                    'max_row': sequence.get(contains), 'shard_max_row': sequence.get('shard_range'),
                    'reconciler': self.reconciler_point(conn),
                },
                'reconciler': self.reconciler(conn, sequence.get(contains)),
                'schema': self.schema(conn),
            }
        except sqlite3.DatabaseError as error:
            return {'content': {'unreadable': str(error)}}
        finally:
            conn.close()

    def reconciler_point(self, conn):
        try:
            row = conn.execute('SELECT reconciler_sync_point FROM container_stat').fetchone()
            return row[0] if row else None
        except sqlite3.OperationalError:
            return None

    def reconciler(self, conn, max_row):
        """Whether the rows were searched for misplaced ones to the last."""
        point = self.reconciler_point(conn)
        return None if point is None else 'searched' if point >= (max_row or -1) else 'not all searched'

    def folder(self, path):
        """Every database of a hash folder and the files beside it."""
        found = {'databases': {}, 'beside': []}
        for name in sorted(os.listdir(path)):
            if name.endswith('.db'):
                found['databases'][name] = self.database(os.path.join(path, name))
            elif name.endswith('.pending'):
                size = os.path.getsize(os.path.join(path, name))
                found['beside'].append('%s (%s)' % (name, 'empty' if size == 0 else 'rows waiting'))
            else:
                found['beside'].append(name)
        return found

    def aside(self):
        """What lies on the devices apart from databases: quarantine, tmp, links of the sync store."""
        found = {}
        for device, root in sorted(self.roots.items()):
            top = os.path.join(root, device)
            quarantined = os.path.join(top, 'quarantined', self.type + 's')
            links = []
            for folder, _, files in os.walk(os.path.join(top, 'sync_' + self.type + 's')):
                links += [os.path.relpath(os.path.join(folder, name), top) for name in files]
            found[device] = {
                # A collision's name ends in a random part.
                'quarantined': sorted(
                    self.titles.get(name[:32], name[:32]) + (' again' if len(name) > 32 else '')
                    for name in (os.listdir(quarantined) if os.path.isdir(quarantined) else [])),
                'tmp': len(os.listdir(os.path.join(top, 'tmp'))) if os.path.isdir(os.path.join(top, 'tmp')) else 0,
                'sync store': sorted(links),
            }
        return found


def everything(request):
    """The reply: {'ids': id → device now, 'cases': title → place → folder, 'aside': device → rest}.

    request: type, roots (device → its root), base, manifest, and ids of earlier times that sync
    tables may still name.
    """
    dumper = Dumper(request)
    now = dumper.collect_ids()
    dumper.ids.update(now)
    cases = {title: {} for title in dumper.titles.values()}
    for device, relative, folder in dumper.databases():
        title = dumper.titles.get(relative[-32:], 'not of any case')
        cases.setdefault(title, {})['%s %s' % (device, relative)] = dumper.folder(folder)
    return {'ids': now, 'cases': cases, 'aside': dumper.aside()}

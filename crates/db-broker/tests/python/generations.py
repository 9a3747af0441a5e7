"""Databases as every generation of Swift has left them on disk."""
import os
import sqlite3

from swift.common.db import chexor

from stock import open_broker, set_now

SYNC = '''
CREATE TABLE {0}_sync (remote_id TEXT UNIQUE, sync_point INTEGER{1});
'''
SYNC_TRIGGERS = '''
CREATE TRIGGER {0}_sync_insert AFTER INSERT ON {0}_sync BEGIN
  UPDATE {0}_sync SET updated_at = STRFTIME('%s', 'NOW') WHERE ROWID = new.ROWID; END;
CREATE TRIGGER {0}_sync_update AFTER UPDATE ON {0}_sync BEGIN
  UPDATE {0}_sync SET updated_at = STRFTIME('%s', 'NOW') WHERE ROWID = new.ROWID; END;
'''
STAT_TIMES = '''put_timestamp TEXT DEFAULT '0', delete_timestamp TEXT DEFAULT '0','''
STAT_TAIL = '''hash TEXT default '00000000000000000000000000000000', id TEXT, status TEXT DEFAULT '',
  status_changed_at TEXT DEFAULT '0'{0}'''
METADATA = ", metadata TEXT DEFAULT ''"
SYNC_POINTS = ''', x_container_sync_point1 INTEGER DEFAULT -1, x_container_sync_point2 INTEGER DEFAULT -1'''
CONTAINER_STAT = '''
CREATE TABLE container_stat (account TEXT, container TEXT, created_at TEXT, ''' + STAT_TIMES + '''
  object_count INTEGER, bytes_used INTEGER,
  reported_put_timestamp TEXT DEFAULT '0', reported_delete_timestamp TEXT DEFAULT '0',
  reported_object_count INTEGER DEFAULT 0, reported_bytes_used INTEGER DEFAULT 0, ''' + STAT_TAIL + ''');
INSERT INTO container_stat (account, container, created_at, put_timestamp, object_count, bytes_used, id)
  VALUES ('a', 'c', '0000000001.00000', '0000000001.00000', 0, 0, 'old-id');
'''
OBJECT = '''
CREATE TABLE object (ROWID INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT, created_at TEXT, size INTEGER,
  content_type TEXT, etag TEXT, deleted INTEGER DEFAULT 0);
CREATE TRIGGER object_insert AFTER INSERT ON object BEGIN
  UPDATE container_stat SET object_count = object_count + (1 - new.deleted),
    bytes_used = bytes_used + new.size, hash = chexor(hash, new.name, new.created_at); END;
CREATE TRIGGER object_update BEFORE UPDATE ON object BEGIN
  SELECT RAISE(FAIL, 'UPDATE not allowed; DELETE and INSERT'); END;
CREATE TRIGGER object_delete AFTER DELETE ON object BEGIN
  UPDATE container_stat SET object_count = object_count - (1 - old.deleted),
    bytes_used = bytes_used - old.size, hash = chexor(hash, old.name, old.created_at); END;
'''
ACCOUNT_STAT = '''
CREATE TABLE account_stat (account TEXT, created_at TEXT, ''' + STAT_TIMES + '''
  container_count INTEGER, object_count INTEGER DEFAULT 0, bytes_used INTEGER DEFAULT 0, ''' + STAT_TAIL + ''');
INSERT INTO account_stat (account, created_at, put_timestamp, container_count, id)
  VALUES ('a', '0000000001.00000', '0000000001.00000', 0, 'old-id');
'''
HASHED = "{0}.put_timestamp || '-' || {0}.delete_timestamp || '-' || {0}.object_count || '-' || {0}.bytes_used"
CONTAINER = '''
CREATE TABLE container (ROWID INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT, put_timestamp TEXT,
  delete_timestamp TEXT, object_count INTEGER, bytes_used INTEGER, deleted INTEGER DEFAULT 0{0});
CREATE TRIGGER container_insert AFTER INSERT ON container BEGIN
  UPDATE account_stat SET container_count = container_count + (1 - new.deleted),
    object_count = object_count + new.object_count, bytes_used = bytes_used + new.bytes_used,
    hash = chexor(hash, new.name, ''' + HASHED.format('new') + '''); END;
CREATE TRIGGER container_update BEFORE UPDATE ON container BEGIN
  SELECT RAISE(FAIL, 'UPDATE not allowed; DELETE and INSERT'); END;
CREATE TRIGGER container_delete AFTER DELETE ON container BEGIN
  UPDATE account_stat SET container_count = container_count - (1 - old.deleted),
    object_count = object_count - old.object_count, bytes_used = bytes_used - old.bytes_used,
    hash = chexor(hash, old.name, ''' + HASHED.format('old') + '''); END;
'''
UNCOUNTED_POLICY_STAT = '''
CREATE TABLE policy_stat (storage_policy_index INTEGER PRIMARY KEY, object_count INTEGER DEFAULT 0,
  bytes_used INTEGER DEFAULT 0);
CREATE TRIGGER container_insert_ps AFTER INSERT ON container BEGIN
  INSERT OR IGNORE INTO policy_stat VALUES (new.storage_policy_index, 0, 0);
  UPDATE policy_stat SET object_count = object_count + new.object_count,
    bytes_used = bytes_used + new.bytes_used WHERE storage_policy_index = new.storage_policy_index; END;
CREATE TRIGGER container_delete_ps AFTER DELETE ON container BEGIN
  UPDATE policy_stat SET object_count = object_count - old.object_count,
    bytes_used = bytes_used - old.bytes_used WHERE storage_policy_index = old.storage_policy_index; END;
'''
SHARD_RANGE = '''
DROP TABLE shard_range;
CREATE TABLE shard_range (ROWID INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT, timestamp TEXT, lower TEXT,
  upper TEXT, object_count INTEGER DEFAULT 0, bytes_used INTEGER DEFAULT 0, meta_timestamp TEXT,
  deleted INTEGER DEFAULT 0, state INTEGER, state_timestamp TEXT, epoch TEXT{0});
CREATE TRIGGER shard_range_update BEFORE UPDATE ON shard_range BEGIN
  SELECT RAISE(FAIL, 'UPDATE not allowed; DELETE and INSERT'); END;
'''


def sync_tables(stamped=True):
    column = ', updated_at TEXT DEFAULT 0' if stamped else ''
    return ''.join(SYNC.format(way, column) + (SYNC_TRIGGERS.format(way) if stamped else '')
                   for way in ('outgoing', 'incoming'))


def index(table):
    return 'CREATE INDEX ix_%s_deleted_name ON %s (deleted, name);' % (table, table)


def old_container(columns, indexed=True, stamped=True):
    return (sync_tables(stamped) + CONTAINER_STAT.format(columns) + OBJECT
            + (index('object') if indexed else ''))


def old_account(columns=METADATA, row_columns='', more='', indexed=True):
    return (sync_tables() + ACCOUNT_STAT.format(columns) + CONTAINER.format(row_columns) + more
            + (index('container') if indexed else ''))


# What came later than the generation: either the whole schema as it was, or a step back from today's.
WHOLE = {
    'container': {
        'before_metadata': old_container(''),
        'before_sync_points': old_container(METADATA),
        'before_policies': old_container(METADATA + SYNC_POINTS),
        'half_upgraded': old_container(SYNC_POINTS),
        'before_index': old_container(METADATA + SYNC_POINTS, indexed=False),
        'before_sync_times': old_container(METADATA + SYNC_POINTS, stamped=False),
    },
    'account': {
        'before_metadata': old_account(''),
        'before_policies': old_account(),
        'before_index': old_account(indexed=False),
        'before_container_count': old_account(
            row_columns=', storage_policy_index INTEGER DEFAULT 0', more=UNCOUNTED_POLICY_STAT),
        'half_upgraded': old_account(more='''CREATE TABLE policy_stat (
            storage_policy_index INTEGER PRIMARY KEY, container_count INTEGER DEFAULT 0,
            object_count INTEGER DEFAULT 0, bytes_used INTEGER DEFAULT 0);'''),
    },
}
STEP_BACK = {
    'container': {
        'current': '',
        'before_shard_ranges': 'DROP TABLE shard_range;',
        'before_reported': SHARD_RANGE.format(''),
        'before_tombstones': SHARD_RANGE.format(', reported INTEGER DEFAULT 0'),
    },
    'account': {'current': ''},
}
OLD_ROWS = {
    'container': ('object (name, created_at, size, content_type, etag, deleted)', [
        ('old', '0000000100.00000', 10, 'text/plain', 'e1', 0),
        ('encoded', '0000000100.00000+5+a', 20, 'text/plain;swift_bytes=99', 'e2', 0),
        ('gone', '0000000200.00000', 0, 'application/deleted', 'noetag', 1),
        ('\u00fcn\u00ef\u2602', '0000000300.00000', 7, 'a/b', 'e3', 0)]),
    'account': ('container (name, put_timestamp, delete_timestamp, object_count, bytes_used, deleted)', [
        ('old', '0000000100.00000', '0', 5, 50, 0),
        ('gone', '0000000100.00000', '0000000200.00000', 0, 0, 1),
        ('\u00fcn\u00ef\u2602', '0000000300.00000', '0', 1, 2, 0)]),
}


def connect(file):
    connection = sqlite3.connect(file)
    connection.create_function('chexor', 3, chexor)
    return connection


def build(kind, generation, file, rows=True, name='c'):
    """Makes a database of a generation, with a few rows; answers with what there is to choose from."""
    if file is None:
        return sorted(WHOLE[kind]) + sorted(STEP_BACK[kind])
    os.makedirs(os.path.dirname(file), exist_ok=True)
    if generation in WHOLE[kind]:
        script = WHOLE[kind][generation]
    else:
        set_now(1)
        with open_broker(kind, file, account='a', container=name) as broker:
            broker.initialize('0000000001.00000', 0)
        script = STEP_BACK[kind][generation]
    connection = connect(file)
    connection.executescript(script)
    if rows:
        table, values = OLD_ROWS[kind]
        marks = ','.join('?' * len(values[0]))
        connection.executemany('INSERT INTO %s VALUES (%s)' % (table, marks), values)
    connection.commit()
    connection.close()

"""Databases as earlier releases of Swift wrote them, built statement by statement."""
import os
import sqlite3

from swift.common.db import chexor

SYNC = '''
CREATE TABLE {0}_sync (remote_id TEXT UNIQUE, sync_point INTEGER{1});
'''
SYNC_TRIGGERS = '''
CREATE TRIGGER {0}_sync_insert AFTER INSERT ON {0}_sync BEGIN
    UPDATE {0}_sync SET updated_at = STRFTIME('%s', 'NOW') WHERE ROWID = new.ROWID; END;
CREATE TRIGGER {0}_sync_update AFTER UPDATE ON {0}_sync BEGIN
    UPDATE {0}_sync SET updated_at = STRFTIME('%s', 'NOW') WHERE ROWID = new.ROWID; END;
'''
NO_UPDATE = '''
CREATE TRIGGER {0}_update BEFORE UPDATE ON {0} BEGIN
    SELECT RAISE(FAIL, 'UPDATE not allowed; DELETE and INSERT'); END;
'''
ZERO_HASH = '0' * 32

OBJECTS = '''
CREATE TABLE object (ROWID INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT, created_at TEXT,
    size INTEGER, content_type TEXT, etag TEXT, deleted INTEGER DEFAULT 0);
CREATE TRIGGER object_insert AFTER INSERT ON object BEGIN
    UPDATE container_stat SET object_count = object_count + (1 - new.deleted),
        bytes_used = bytes_used + new.size, hash = chexor(hash, new.name, new.created_at); END;
CREATE TRIGGER object_delete AFTER DELETE ON object BEGIN
    UPDATE container_stat SET object_count = object_count - (1 - old.deleted),
        bytes_used = bytes_used - old.size, hash = chexor(hash, old.name, old.created_at); END;
'''
CONTAINER_STAT = '''
CREATE TABLE container_stat (account TEXT, container TEXT, created_at TEXT,
    put_timestamp TEXT DEFAULT '0', delete_timestamp TEXT DEFAULT '0', object_count INTEGER,
    bytes_used INTEGER, reported_put_timestamp TEXT DEFAULT '0',
    reported_delete_timestamp TEXT DEFAULT '0', reported_object_count INTEGER DEFAULT 0,
    reported_bytes_used INTEGER DEFAULT 0, hash TEXT DEFAULT '{0}', id TEXT,
    status TEXT DEFAULT '', status_changed_at TEXT DEFAULT '0'{1});
'''

CONTAINERS = '''
CREATE TABLE container (ROWID INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT, put_timestamp TEXT,
    delete_timestamp TEXT, object_count INTEGER, bytes_used INTEGER, deleted INTEGER DEFAULT 0{0});
'''
CONTAINER_TRIGGER = '''
CREATE TRIGGER container_{0} AFTER {1} ON container BEGIN
    UPDATE account_stat SET container_count = container_count {2} (1 - {3}.deleted),
        object_count = object_count {2} {3}.object_count, bytes_used = bytes_used {2} {3}.bytes_used,
        hash = chexor(hash, {3}.name, {3}.put_timestamp || '-' || {3}.delete_timestamp || '-' ||
                      {3}.object_count || '-' || {3}.bytes_used); END;
'''
ACCOUNT_STAT = '''
CREATE TABLE account_stat (account TEXT, created_at TEXT, put_timestamp TEXT DEFAULT '0',
    delete_timestamp TEXT DEFAULT '0', container_count INTEGER, object_count INTEGER DEFAULT 0,
    bytes_used INTEGER DEFAULT 0, hash TEXT DEFAULT '{0}', id TEXT, status TEXT DEFAULT '',
    status_changed_at TEXT DEFAULT '0'{1});
'''
# policy_stat of accounts before it counted containers.
POLICY_STAT = '''
CREATE TABLE policy_stat (storage_policy_index INTEGER PRIMARY KEY, object_count INTEGER DEFAULT 0,
    bytes_used INTEGER DEFAULT 0);
CREATE TRIGGER container_insert_ps AFTER INSERT ON container BEGIN
    INSERT OR IGNORE INTO policy_stat (storage_policy_index, object_count, bytes_used)
        VALUES (new.storage_policy_index, 0, 0);
    UPDATE policy_stat SET object_count = object_count + new.object_count,
        bytes_used = bytes_used + new.bytes_used
    WHERE storage_policy_index = new.storage_policy_index; END;
CREATE TRIGGER container_delete_ps AFTER DELETE ON container BEGIN
    UPDATE policy_stat SET object_count = object_count - old.object_count,
        bytes_used = bytes_used - old.bytes_used
    WHERE storage_policy_index = old.storage_policy_index; END;
'''

METADATA = ", metadata TEXT DEFAULT ''"
POINTS = ', x_container_sync_point1 INTEGER DEFAULT -1, x_container_sync_point2 INTEGER DEFAULT -1'

# Each generation: the last release line before the named thing came.
CONTAINER_GENERATIONS = {
    'before-metadata': {'index': 'name', 'stat': '', 'updated_at': ''},
    'before-sync-points': {'index': 'deleted, name', 'stat': METADATA, 'updated_at': ', updated_at TEXT DEFAULT 0'},
    'before-policies': {'index': 'deleted, name', 'stat': METADATA + POINTS,
                        'updated_at': ', updated_at TEXT DEFAULT 0'},
}
ACCOUNT_GENERATIONS = {
    'before-metadata': {'index': 'name', 'stat': '', 'updated_at': '', 'policy': False},
    'before-policies': {'index': 'deleted, name', 'stat': METADATA,
                        'updated_at': ', updated_at TEXT DEFAULT 0', 'policy': False},
    'before-container-count': {'index': 'deleted, name', 'stat': METADATA,
                               'updated_at': ', updated_at TEXT DEFAULT 0', 'policy': True},
}


def script(server_type, generation):
    rows = 'object' if server_type == 'container' else 'container'
    parts = []
    for table in ('incoming', 'outgoing'):
        parts.append(SYNC.format(table, generation['updated_at']))
        if generation['updated_at']:
            parts.append(SYNC_TRIGGERS.format(table))
    if server_type == 'container':
        parts += [OBJECTS, CONTAINER_STAT.format(ZERO_HASH, generation['stat'])]
    else:
        policy = ', storage_policy_index INTEGER DEFAULT 0' if generation['policy'] else ''
        parts += [CONTAINERS.format(policy), CONTAINER_TRIGGER.format('insert', 'INSERT', '+', 'new'),
                  CONTAINER_TRIGGER.format('delete', 'DELETE', '-', 'old'),
                  ACCOUNT_STAT.format(ZERO_HASH, generation['stat'])]
        if generation['policy']:
            parts.append(POLICY_STAT)
    parts.append(NO_UPDATE.format(rows))
    parts.append('CREATE INDEX ix_%s_%s ON %s (%s);' % (
        rows, generation['index'].replace(', ', '_'), rows, generation['index']))
    return ''.join(parts)


def insert(conn, table, values):
    conn.execute('INSERT INTO %s (%s) VALUES (%s)' % (
        table, ', '.join(values), ', '.join('?' * len(values))), tuple(values.values()))


def create(w, device, name, rows, put):
    """The database of an old generation at a device, holding the rows; returns a broker on it."""
    generation = (CONTAINER_GENERATIONS if w.type == 'container' else ACCOUNT_GENERATIONS)[name]
    path = w.db_path(device)
    os.makedirs(os.path.dirname(path))
    conn = sqlite3.connect(path)
    conn.create_function('chexor', 3, chexor)
    conn.executescript(script(w.type, generation))
    stat = {'account': w.account, 'created_at': w.ts(put), 'put_timestamp': w.ts(put),
            'id': w.db_id(device), 'object_count': 0, 'bytes_used': 0}
    columns = ('name', 'created_at', 'size', 'content_type', 'etag', 'deleted')
    if w.type == 'container':
        stat['container'] = w.container
        insert(conn, 'container_stat', stat)
    else:
        stat['container_count'] = 0
        insert(conn, 'account_stat', stat)
        columns = ('name', 'put_timestamp', 'delete_timestamp', 'object_count', 'bytes_used', 'deleted')
        columns += ('storage_policy_index',) if generation['policy'] else ()
    for row in rows:
        insert(conn, 'object' if w.type == 'container' else 'container', {key: row[key] for key in columns})
    conn.commit()
    conn.close()
    return w.broker(device)

"""The logical content of a database, in a form that two of them can be compared by."""
import json
import re

from swift.common.db import chexor

from generations import connect

# Table: what of it differs between two runs of the same operations.
CLOCK = {'incoming_sync': 'updated_at', 'outgoing_sync': 'updated_at'}
ROW_HASH = {
    'object': 'created_at',
    'container': "put_timestamp || '-' || delete_timestamp || '-' || object_count || '-' || bytes_used",
}
UUID = re.compile('^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}')


def dump(kind, file):
    connection = connect(file)
    tables = [row[0] for row in connection.execute(
        "SELECT name FROM sqlite_master WHERE type IN ('table', 'view') ORDER BY name")]
    content = {table: rows_of(connection, table) for table in tables}
    content['schema'] = schema(connection, tables)
    content['integrity'] = [row[0] for row in connection.execute('PRAGMA integrity_check')]
    content['rehashed'] = rehash(connection, kind)
    connection.close()
    return content


def rows_of(connection, table):
    columns = [row[1] for row in connection.execute('PRAGMA table_info(%s)' % table)]
    order = 'ROWID' if not table.endswith('_stat') and table != 'container_info' else '1'
    rows = [dict(zip(columns, row)) for row in
            connection.execute('SELECT %s FROM %s ORDER BY %s' % (','.join(columns), table, order))]
    for row in rows:
        if table in CLOCK:
            # A time of the trigger's clock is only compared by whether it is one.
            stamp = row.get(CLOCK[table])
            row[CLOCK[table]] = 'now' if stamp and int(stamp) > 1000000000 else stamp
        if 'id' in row:
            row['id'] = UUID.sub('UUID', row['id'])
        if row.get('metadata'):
            row['metadata'] = sorted(json.loads(row['metadata']).items())
    return rows


def schema(connection, tables):
    named = connection.execute("SELECT type, name, tbl_name FROM sqlite_master ORDER BY type, name")
    columns = {table: [list(row[1:]) for row in connection.execute('PRAGMA table_info(%s)' % table)]
               for table in tables}
    return {'named': [list(row) for row in named], 'columns': columns}


def rehash(connection, kind):
    """Whether hash and counts of the stat row are those of the rows."""
    table = {'account': 'container', 'container': 'object'}[kind]
    digest, live = '0' * 32, 0
    for name, stamp, deleted in connection.execute(
            'SELECT name, %s, deleted FROM %s' % (ROW_HASH[table], table)):
        digest = chexor(digest, name, stamp)
        live += 1 - deleted
    stored = connection.execute('SELECT hash FROM %s_stat' % kind).fetchone()
    return stored is None or stored[0] == digest


def run_sql(file, script):
    connection = connect(file)
    connection.executescript(script)
    connection.commit()
    connection.close()

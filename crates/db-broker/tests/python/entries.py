"""Pending files as other versions of Swift, and accidents, have left them."""
import base64
import os
import pickle
import struct

SHAPES = {'tuple': tuple, 'list': list}


def encode(fields, protocol=2, shape='tuple', as_bytes=()):
    """The base64 of a pickled record; fields listed in as_bytes are Python 3 bytes."""
    fields = [field.encode('utf8') if at in as_bytes else field for at, field in enumerate(fields)]
    return base64.b64encode(pickle.dumps(SHAPES[shape](fields), protocol)).decode()


def python2(fields):
    """As Python 2 pickled a tuple of byte strings and numbers with protocol 2."""
    parts = [b'\x80\x02(']
    for at, field in enumerate(fields, 1):
        if field is None:
            parts.append(b'N')
        elif isinstance(field, int):
            parts.append(b'J' + struct.pack('<i', field))
        else:
            text = field.encode('utf8')
            short = len(text) < 256
            parts.append((b'U' + struct.pack('B', len(text)) if short else b'T' + struct.pack('<i', len(text)))
                         + text)
        if isinstance(field, str):
            parts.append(b'q' + struct.pack('B', at))
    parts.append(b'tq\x63.')
    return base64.b64encode(b''.join(parts)).decode()


def write(file, entries):
    """Appends entries to the pending file of a database; answers with how many bytes it has then."""
    pending = file.rsplit('.db', 1)[0].split('_')[0] + '.db.pending'
    with open(pending, 'ab') as out:
        for entry in entries:
            if 'raw' in entry:
                text = entry['raw']
            elif entry.pop('python2', False):
                text = python2(entry['fields'])
            else:
                text = encode(**entry)
            out.write(b':' + text.encode())
    return os.path.getsize(pending)

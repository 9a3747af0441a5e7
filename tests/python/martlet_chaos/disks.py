"""What four nodes hold, by database."""
import collections
import os

from swift.common.ring import Ring
from swift.common.utils import hash_path

from martlet_stock.dump import Dumper

# Of one replica's own history, or of what it told others; not part of what replicas agree on.
OWN = ('id', 'status_changed_at', 'reported_put_timestamp', 'reported_delete_timestamp',
       'reported_object_count', 'reported_bytes_used', 'x_container_sync_point1', 'x_container_sync_point2')
# Whether a client's DELETE reached this replica of a container. Nothing reads it; of accounts it means more.
OWN_OF = {'account': (), 'container': ('status',)}


class Disks:
    """All replicas of one type: hash → {(device, partition) → content}."""

    def __init__(self, folder, server_type):
        self.type = server_type
        self.ring = Ring('/etc/swift', ring_name=server_type)
        devices = sorted({device['device']: device['ip'] for device in self.ring.devs})
        # sdb3 is of node 3.
        roots = {name: os.path.join(folder, 'nodes', name[3:]) for name in devices}
        request = {'type': server_type, 'roots': roots, 'base': float('inf'), 'manifest': []}
        self.dumper = Dumper(request)
        self.copies = collections.defaultdict(dict)
        for device, relative, path in self.dumper.databases():
            partition, _, digest = relative.split(os.sep)
            found = self.dumper.folder(path)
            if found['databases']:
                self.copies[digest][device, int(partition)] = found
        self.quarantined = {
            device: aside['quarantined'] for device, aside in self.dumper.aside().items() if aside['quarantined']}

    def take(self, *names):
        """(faults, content that all primaries agree on or None) of an account or a container."""
        title = '%s %s' % (self.type, '/'.join(names))
        partition, primaries = self.ring.get_nodes(*names)
        copies = self.copies.pop(hash_path(*names), {})
        places = sorted((node['device'], partition) for node in primaries)
        if not copies:
            return [], None
        faults = []
        if sorted(copies) != places:
            faults.append('%s is at %s instead of %s' % (title, sorted(copies), places))
        contents = {}
        for place, found in sorted(copies.items()):
            where = '%s on %s' % (title, place[0])
            content, own = self.single(where, found)
            faults += own
            if content is not None:
                contents[place[0]] = content
        faults += unequal(title, contents)
        return faults, next(iter(contents.values()), None)

    def single(self, where, found):
        """What one replica says, and what is wrong with it alone."""
        faults = ['%s: %s' % (where, name) for name in found['beside'] if 'rows waiting' in name]
        if len(found['databases']) != 1:
            return None, faults + ['%s: files %s' % (where, sorted(found['databases']))]
        content, = [database['content'] for database in found['databases'].values()]
        if 'unreadable' in content:
            return None, faults + ['%s: %s' % (where, content['unreadable'])]
        if content['integrity'] != ['ok']:
            faults.append('%s: integrity_check says %s' % (where, content['integrity']))
        stat = content['stat'] = content['stat'][0]
        for name in OWN + OWN_OF[self.type]:
            stat.pop(name, None)
        if stat['hash'] != content['hash of rows']:
            faults.append('%s: hash %s, its rows have %s' % (where, stat['hash'], content['hash of rows']))
        return content, faults


def unequal(title, contents):
    first = None
    for device, content in contents.items():
        if first is None:
            first = device, content
            continue
        for part, value in content.items():
            if value != first[1][part]:
                yield '%s: %s differs: %s has %s, %s has %s' % (
                    (title, part) + difference(first[0], first[1][part], device, value))


def difference(here, one, there, other):
    """Of lists only what the other has not, of objects only what differs."""
    if isinstance(one, dict) and isinstance(other, dict):
        keys = [key for key in sorted(set(one) | set(other)) if one.get(key) != other.get(key)]
        return here, {key: one.get(key) for key in keys}, there, {key: other.get(key) for key in keys}
    if isinstance(one, list) and isinstance(other, list):
        return (here, [item for item in one if item not in other], there, [item for item in other if item not in one])
    return here, one, there, other

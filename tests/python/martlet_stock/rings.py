"""Ring files by stock's builder."""
import os
import random

from swift.common.ring import Ring
from swift.common.ring.builder import RingBuilder


def shuffle_replicas(ring_data, dice):
    """Permute each partition's primaries: sorted in even partitions, shuffled in odd ones.

    So few devices leave the builder with four arrangements for the whole ring; the cases want the
    primaries in the order of the passes, or in every order.
    """
    columns = ring_data._replica2part2dev_id
    for part in range(len(columns[0])):
        devices = [column[part] for column in columns]
        if part % 2:
            dice.shuffle(devices)
        else:
            devices.sort()
        for column, device in zip(columns, devices):
            column[part] = device


def write(request):
    """Write both rings and describe what they say, so that clusters can be compared.

    request: swift_dir, part_power, replicas, devices: a list of {device, zone, weight, ip, port: {TYPE: n},
    replication_port: {TYPE: n}}. The reply maps each type to a list, by partition, of [primaries,
    handoffs] as device names.
    """
    layout = {}
    for server_type in ('account', 'container'):
        builder = RingBuilder(request['part_power'], request['replicas'], 1)
        for device in request['devices']:
            builder.add_dev({
                'region': 1, 'zone': device['zone'], 'ip': device['ip'], 'weight': device['weight'],
                'port': device['port'][server_type], 'replication_ip': device['ip'],
                'replication_port': device['replication_port'][server_type],
                'device': device['device'], 'meta': ''})
        builder.rebalance(seed=1)
        ring_data = builder.get_ring()
        shuffle_replicas(ring_data, random.Random(1))
        ring_data.save(os.path.join(request['swift_dir'], server_type + '.ring.gz'))
        ring = Ring(request['swift_dir'], ring_name=server_type)
        layout[server_type] = [
            [[node['device'] for node in nodes] for nodes in (
                ring.get_part_nodes(part), list(ring.get_more_nodes(part)))]
            for part in range(ring.partition_count)]
    return layout

"""Ring files by stock's builder."""
import os

from swift.common.ring.builder import RingBuilder


def write(request):
    """request: swift_dir, part_power, rings: {name: {replicas, devices: [device dict of the builder]}}."""
    for name, ring in request['rings'].items():
        builder = RingBuilder(request['part_power'], ring['replicas'], 1)
        for device in ring['devices']:
            builder.add_dev(dict(device, region=1, weight=1.0, meta=''))
        builder.rebalance(seed='1')
        builder.get_ring().save(os.path.join(request['swift_dir'], name + '.ring.gz'))

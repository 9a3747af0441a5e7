"""The oracle of the ring tests: stock Swift builds rings and answers for them.

    stock_rings.py build FOLDER         writes NAME.ring.gz and NAME.json for every shape below
    stock_rings.py sample FOLDER        writes the same small ring as v1.ring.gz and v2.ring.gz
    stock_rings.py answer RING ANSWERS  writes stock's answers for one ring file

Runs in the environment that has stock Swift; the same shapes come out of every run.
"""
import array
import gzip
import json
import random
import struct
import sys
from pathlib import Path

from swift.common import utils

utils.HASH_PATH_PREFIX = b"pre"
utils.HASH_PATH_SUFFIX = b"suf"

from swift.common.ring import Ring, RingBuilder, RingData  # noqa: E402

PATHS = [("AUTH_test", None), ("AUTH_test", "c"), ("a", "b/c"), ("\u00e9", "\u732b"), (".misplaced_objects", "0")]
ALL_PARTITIONS_UP_TO = 256


def device(id, region=1, zone=1, ip="127.0.0.1", port=6201, weight=100.0, **more):
    return dict(id=id, region=region, zone=zone, ip=ip, port=port, device="d%d" % id, weight=weight, **more)


def built(part_power, replicas, devices, remove=(), seed=1):
    builder = RingBuilder(part_power, replicas, 0)
    for dev in devices:
        builder.add_dev(dict(dev))
    builder.rebalance(seed=seed)
    for id in remove:
        builder.remove_dev(id)
        builder.pretend_min_part_hours_passed()
        builder.rebalance(seed=seed)
    return builder.get_ring()


def spread(regions, zones, servers, disks, weight=lambda id: 100.0, ip="10.%d.%d.%d"):
    found = []
    for region in range(1, regions + 1):
        for zone in range(1, zones + 1):
            for server in range(1, servers + 1):
                for _ in range(disks):
                    id = len(found)
                    found.append(device(id, region, zone, ip % (region, zone, server), weight=weight(id)))
    return found


def by_hand(part_power, replicas, devices, typecode="H", seed=1):
    """What the builder refuses (more replicas than devices) or takes minutes for (2^20, 65,536 devices)."""
    rand = random.Random(seed)
    parts = 2 ** part_power
    ids = [dev["id"] for dev in devices if dev["weight"]]
    places = [None] * (devices[-1]["id"] + 1)
    for dev in devices:
        places[dev["id"]] = dev
    lengths = [parts] * int(replicas)
    if replicas % 1:
        lengths.append(int(parts * (replicas % 1)))
    rows = [array.array(typecode, rand.choices(ids, k=length)) for length in lengths]
    return RingData(rows, places, 32 - part_power, version=7)


def chance(seed):
    """A cluster such as grows over the years."""
    rand = random.Random(seed)
    devices = []
    for region in range(rand.randint(1, 3)):
        for zone in range(rand.randint(1, 4)):
            for server in range(rand.randint(1, 3)):
                for _ in range(rand.randint(1, 4)):
                    weight = rand.choice([0.0, 1.0, 50.0, 100.0, 100.0, 833.3])
                    ip = rand.choice(["10.0.%d.%d" % (zone, server), "fd00::%d:%d" % (region, server), "s%d" % server])
                    port = rand.choice([6201, 6211])
                    id = len(devices) + rand.choice([0, 0, 0, 1])
                    id = max([id] + [dev["id"] + 1 for dev in devices])
                    devices.append(device(id, region, zone, ip, port, weight))
    devices[0]["weight"] = 100.0
    removable = [dev["id"] for dev in devices[1:]]
    remove = rand.sample(removable, min(len(removable), rand.choice([0, 0, 1, 3])))
    holders = [dev for dev in devices if dev["weight"] and dev["id"] not in remove]
    replicas = min(len(holders), rand.choice([1, 2, 3, 3, 4, 1.5, 2.25, 3.75, 5]))
    return built(rand.randint(2, 8), replicas, devices, remove, seed)


def shapes():
    uneven = lambda id: [100.0, 250.5, 0.0, 30.0][id % 4]  # noqa: E731
    yield "one_device", built(4, 1, [device(0)])
    yield "one_device_of_weight", by_hand(4, 3, [device(0), device(1, weight=0.0), device(2, zone=2, weight=0.0)])
    yield "one_device_three_replicas", by_hand(4, 3, [device(0)])
    yield "one_partition", built(0, 3, spread(1, 3, 1, 2))
    yield "two_partitions", built(1, 2, spread(2, 2, 1, 1))
    yield "flat", built(8, 3, spread(1, 1, 1, 12))
    yield "servers_of_one_zone", built(6, 3, spread(1, 1, 6, 3))
    yield "zones", built(8, 3, spread(1, 5, 2, 2))
    yield "regions", built(8, 3, spread(3, 2, 2, 2))
    yield "more_regions_than_replicas", built(6, 2, spread(5, 1, 1, 2))
    yield "uneven_weights", built(8, 3, spread(2, 3, 2, 2, uneven))
    yield "zone_of_zero_weight", built(6, 3, spread(1, 4, 1, 3, lambda id: 0.0 if id < 3 else 100.0))
    yield "replicas_2_5", built(8, 2.5, spread(2, 2, 2, 2))
    yield "replicas_3_25", built(4, 3.25, spread(1, 4, 2, 1, uneven))
    yield "replicas_1_01", built(8, 1.01, spread(1, 2, 1, 1))
    yield "more_replicas_than_devices", by_hand(4, 5, spread(1, 3, 1, 1))
    yield "removed_devices", built(6, 3, spread(2, 3, 2, 1), remove=[0, 5, 11])
    yield "removed_last", built(4, 2, spread(1, 2, 2, 1), remove=[3])
    yield "ipv6", built(6, 3, spread(1, 2, 3, 2, ip="fd00:%x:%x::%x"))
    yield "host_names", built(6, 3, spread(2, 2, 2, 2, ip="r%d-z%d-s%d.example.org"))
    yield "odd_ids", built(4, 2, [device(3), device(17, zone=2), device(40, region=0, zone=-1)])
    replication = dict(replication_ip="192.168.0.9", replication_port=6401, meta="rack \u00e9 \"7\"")
    yield "replication_network", built(4, 2, [device(0, **replication), device(1, zone=2)])
    yield "no_assignments", RingData([], [device(0), None, device(2)], 24, version=3)
    yield "no_devices", RingData([], [], 24)
    yield "builder_of_2_17", built(17, 2, spread(2, 2, 2, 1))
    yield "sampled_2_18", by_hand(18, 3, spread(3, 3, 3, 3))
    yield "sampled_2_20_fraction", by_hand(20, 1.3, spread(2, 4, 5, 2))
    for seed in range(40):
        yield "chance_%02d" % seed, chance(seed)


def answers(path):
    ring = Ring(str(path))
    assigned = bool(ring._replica2part2dev_id)
    parts = ring.partition_count if assigned else 0
    if parts <= ALL_PARTITIONS_UP_TO:
        asked = range(parts)
    else:
        asked = sorted({0, 1, parts // 2, parts - 1} | set(random.Random(5).sample(range(parts), 40)))
    return {
        "replica_count": ring.replica_count,
        "part_power": ring.part_power,
        "version": ring.version,
        "devices": [dev for dev in ring.devs if dev],
        "paths": [[account, container, ring.get_part(account, container)] for account, container in PATHS],
        "partitions": [
            [part, [dev["id"] for dev in ring.get_part_nodes(part)], [dev["id"] for dev in ring.get_more_nodes(part)]]
            for part in asked
        ],
    }


def write_v1_by_hand(path, ring, byteorder):
    """v1 as a machine of the other byte order wrote it, or a Swift of before `byteorder` and replication_ip."""
    rows = [array.array("H", row) for row in ring._replica2part2dev_id]
    text = {"devs": ring.devs, "part_shift": ring._part_shift, "replica_count": len(rows)}
    if byteorder:
        text["byteorder"] = byteorder
    else:
        later = ("replication_ip", "replication_port", "meta", "weight")
        text["devs"] = [{key: dev[key] for key in dev if key not in later} for dev in ring.devs]
    if byteorder and byteorder != sys.byteorder:
        for row in rows:
            row.byteswap()
    text = json.dumps(text).encode("ascii")
    body = b"R1NG\x00\x01" + struct.pack("!I", len(text)) + text + b"".join(row.tobytes() for row in rows)
    path.write_bytes(gzip.compress(body))


def write_answers(ring_path, answers_path):
    answers_path.write_text(json.dumps(answers(ring_path)))


def build(folder):
    for name, ring in shapes():
        for version in (1, 2):
            path = folder / ("%s_v%d.ring.gz" % (name, version))
            ring.save(str(path), format_version=version)
            write_answers(path, folder / ("%s_v%d.json" % (name, version)))
    small = built(6, 2.5, spread(2, 2, 2, 1))
    for byteorder in ("big", "little", None):
        path = folder / ("byteorder_%s.ring.gz" % byteorder)
        write_v1_by_hand(path, small, byteorder)
        write_answers(path, folder / ("byteorder_%s.json" % byteorder))
    wide = by_hand(6, 3.5, [device(id, zone=id % 3) for id in (0, 5, 65534, 65535, 65536, 70000)], "I")
    path = folder / "four_byte_ids.ring.gz"
    wide.save(str(path), format_version=2)
    write_answers(path, folder / "four_byte_ids.json")


def sample(folder):
    ring = built(5, 2.5, spread(2, 2, 2, 1), remove=[2])
    for version in (1, 2):
        ring.save(str(folder / ("v%d.ring.gz" % version)), format_version=version)


if __name__ == "__main__":
    command, *paths = sys.argv[1:]
    {"build": build, "sample": sample, "answer": write_answers}[command](*map(Path, paths))

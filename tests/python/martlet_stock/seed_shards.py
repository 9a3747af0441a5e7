"""Sharding of a random container: ranges found, being cleaved, or all done, and not everywhere alike."""
from swift.common.utils import ShardRange
from swift.common.utils.timestamp import NormalTimestamp

from martlet_stock.bench import CREATED
from martlet_stock.cases_schema import SHARD_COLUMNS, older_shard_table
from martlet_stock.seed_rows import SINCE, UNTIL, events
from martlet_stock.seed_step import step

BOUNDS = ['', 'n05', 'n10', 'n20', 'n40', '']
SHARD_STATES = (ShardRange.FOUND, ShardRange.CREATED, ShardRange.CLEAVED, ShardRange.ACTIVE)
OWN_STATES = (ShardRange.ACTIVE, ShardRange.SHARDING, ShardRange.SHARDED, ShardRange.SHRINKING, ShardRange.SHRUNK)


def normal(draw, offset):
    return NormalTimestamp(draw.bench.base + offset)


def times(draw, dice):
    at = draw.moment(dice, SINCE, UNTIL)
    return {'timestamp': normal(draw, at),
            'state_timestamp': normal(draw, draw.moment(dice, at, UNTIL)),
            'meta_timestamp': normal(draw, draw.moment(dice, at, UNTIL))}


def others(draw, dice):
    """Ranges of the shards, in order, as one replica may know them."""
    return [ShardRange(
        '.shards_%s/shard-%d' % (draw.bench.account, number), lower=lower, upper=upper,
        object_count=dice.randrange(99), bytes_used=dice.randrange(999), tombstones=dice.choice((-1, 3)),
        state=dice.choice(SHARD_STATES), deleted=int(dice.random() < 0.1), **times(draw, dice))
        for number, (lower, upper) in enumerate(zip(BOUNDS, BOUNDS[1:]))]


def own(draw, dice, state, epoch):
    return ShardRange('%s/%s' % (draw.bench.account, draw.bench.container), state=state, epoch=epoch,
                      **times(draw, dice))


@step('shard-ranges')
def shard_ranges(draw):
    """Ranges without anybody having begun: rows go on being replicated, ranges go along."""
    if draw.bench.type == 'account' or not draw.has('shard-ranges', 0.1):
        return
    dice = draw.dice('shard-ranges')
    for broker in draw.some(dice):
        broker.merge_shard_ranges([own(draw, dice, ShardRange.ACTIVE, None)] * dice.randrange(2)
                                  + others(draw, dice)[:dice.randint(1, 5)])


@step('old-shard-table')
def old_shard_table(draw):
    """Some replicas have the table of an earlier release, or none yet."""
    if 'shard-ranges' not in draw.used or not draw.has('old-shard-table', 0.4):
        return
    dice = draw.dice('old-shard-table')
    for broker in draw.some(dice):
        with broker.get() as connection:
            there = connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'shard_range'").fetchone()
        if there:
            older_shard_table(draw.bench, broker, SHARD_COLUMNS[dice.choice(sorted(SHARD_COLUMNS))])


@step('shards')
def shard(draw):
    """The container is a shard of another: its sysmeta says of which."""
    if draw.bench.type == 'account' or not draw.has('shards', 0.1):
        return
    dice = draw.dice('shards')
    at = draw.bench.ts(draw.moment(dice, CREATED, SINCE))
    key = dice.choice(('Quoted-Root', 'Root'))
    value = {'Root': 'AUTH_root/ro ot', 'Quoted-Root': 'AUTH_root/ro%20ot'}[key]
    for broker in draw.replicas:
        broker.update_metadata({'X-Container-Sysmeta-Shard-' + key: (value, at)})


@step('sharding')
def sharding(draw):
    """Each replica somewhere between not having heard of it and having nothing left but ranges."""
    if draw.bench.type == 'account' or not draw.has('sharding', 0.12):
        return
    dice = draw.dice('sharding')
    epochs = [normal(draw, draw.moment(dice, SINCE, UNTIL)) for _ in range(2)]
    for broker in draw.replicas:
        reached = dice.choice(('unaware', 'presharding', 'sharding', 'sharded', 'collapsed'))
        if reached == 'unaware':
            continue
        epoch = epochs[0] if dice.random() < 0.85 else epochs[1]
        broker.merge_shard_ranges([own(draw, dice, ShardRange.SHARDING, epoch)] + others(draw, dice))
        if reached != 'presharding' and broker.set_sharding_state():
            proceed(draw, dice, broker, reached, epoch)


def proceed(draw, dice, broker, reached, epoch):
    """From sharding on; rows go to the fresh file."""
    if dice.random() < 0.5:
        draw.bench.merge(broker, events(draw, dice, dice.randint(1, 6)))
    if reached == 'sharding':
        return
    state = ShardRange.SHARDED if reached == 'sharded' else dice.choice(OWN_STATES)
    later = own(draw, dice, state, epoch)
    later.timestamp = broker.get_own_shard_range().timestamp
    later.state_timestamp = later.meta_timestamp = normal(draw, UNTIL + dice.random())
    broker.merge_shard_ranges([later])
    broker.set_sharded_state()
    if reached == 'collapsed':
        gone = [ranges.copy(deleted=1, timestamp=normal(draw, UNTIL + 10 + dice.random()))
                for ranges in broker.get_shard_ranges()]
        broker.merge_shard_ranges(gone)


STEPS = (shard_ranges, old_shard_table, shard, sharding)

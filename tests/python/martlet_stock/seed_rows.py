"""What clients did to a random database: PUTs, POSTs and DELETEs, and which replicas heard of them when."""
import base64
import pickle

from martlet_stock.bench import ANCIENT, DAY
from martlet_stock.seed_step import step

# As long as nothing here is reclaimed, and no time is in the future.
SINCE, UNTIL = -5 * 3600, -300
# Before policies, before the times of a POST, and as it is now.
PENDING_FIELDS = (6, 7, None)
ODD = [' ünï-çødé', '-ｆｕｌｌ', '-\U0001f426', "-it's", '-"quoted"', '-new\nline', '-tab\t', '%20%s', ' ',
       '-back\\slash', ';', ':', '-e\u0301', '-\u00e9', '-\u2028', '-\x01', '#', '?x=y', '-' + 'a' * 180,
       '-' + 'b' * 900]


def name(draw, dice, pool):
    text = 'n%02d' % dice.randrange(pool)
    return text + dice.choice(ODD) if draw.has('odd-rows', 0.15) and dice.random() < 0.5 else text


def policy_of_row(draw, dice, base):
    if draw.has('row-policies', 0.3) and dice.random() < 0.4:
        return draw.any_policy(dice)
    return base


def object_events(draw, dice, count):
    """Rows as object servers report them. A POST repeats the PUT it belongs to, with times of its own."""
    bench, pool, puts, rows = draw.bench, max(3, count * 2 // 3), [], []
    for _ in range(count):
        at = draw.moment(dice, SINCE, UNTIL)
        kind = dice.random()
        if kind < 0.2:
            rows.append(bench.tombstone(name(draw, dice, pool), at))
        elif kind < 0.4 and puts and draw.has('posts', 0.5):
            rows.append(post(draw, dice, dice.choice(puts)))
        else:
            size = dice.randrange(1000)
            kind = 'text/%d' % dice.randrange(9)
            if dice.random() < 0.1:
                kind += ';swift_bytes=%d' % dice.randrange(5000)
            row = bench.row(name(draw, dice, pool), at, size, content_type=kind)
            puts.append((at, row))
            rows.append(row)
        rows[-1]['storage_policy_index'] = policy_of_row(draw, dice, draw.policy)
    return rows


def post(draw, dice, put):
    put_at, row = put
    ctype_at = draw.moment(dice, put_at + 0.1, put_at + 600)
    row = dict(row, meta_timestamp=draw.bench.ts(draw.moment(dice, ctype_at + 0.1, ctype_at + 100)))
    if dice.random() < 0.6:
        return dict(row, ctype_timestamp=draw.bench.ts(ctype_at), content_type='text/posted-%d' % dice.randrange(9))
    return dict(row, ctype_timestamp=row['created_at'])


def container_events(draw, dice, count):
    """Rows as container updaters report them: created, deleted, created again, and counts that grow."""
    bench, pool, rows = draw.bench, max(3, count * 2 // 3), []
    for _ in range(count):
        at = draw.moment(dice, SINCE, UNTIL)
        row_name = name(draw, dice, pool)
        if dice.random() < 0.25:
            row = bench.tombstone(row_name, at)
        else:
            row = bench.row(row_name, at, dice.randrange(1000))
            if dice.random() < 0.2:
                row['delete_timestamp'] = bench.ts(draw.moment(dice, SINCE, at - 0.1))
        row['storage_policy_index'] = policy_of_row(draw, dice, draw.policy)
        rows.append(row)
    return rows


def events(draw, dice, count):
    return (object_events if draw.bench.type == 'container' else container_events)(draw, dice, count)


def how_many(dice):
    kind = dice.random()
    if kind < 0.1:
        return 0
    if kind < 0.6:
        return dice.randint(1, 9)
    return dice.randint(10, 25) if kind < 0.85 else dice.randint(26, 70)


def push(draw, source, target, limit):
    """What pushing at most `limit` rows leaves: the rows, and the points on both sides."""
    target_id = target.get_info()['id']
    rows = source.get_items_since(source.get_sync(target_id, incoming=False), limit)
    if rows:
        target.merge_items([dict(row) for row in rows], source.get_info()['id'])
        source.merge_syncs([{'remote_id': target_id, 'sync_point': rows[-1]['ROWID']}], incoming=False)


def pushes(draw, dice, chance):
    for source in draw.replicas:
        for target in draw.replicas:
            if source is not target and dice.random() < chance:
                push(draw, source, target, dice.choice((1, 3, 10, 30, 1000)))


@step('policies')
def policy(draw):
    """Which policy the container was made with, before replicas disagree about it."""
    draw.policy = draw.any_policy(draw.dice('policies')) if draw.has('policies', 0.5) else 0
    if draw.bench.type == 'container' and draw.policy:
        for broker in draw.replicas:
            broker.set_storage_policy_index(draw.policy, draw.bench.ts(-8000))


@step('common-rows', 'points', 'odd-rows', 'row-policies', 'posts')
def common_rows(draw):
    """What every replica heard of, most often in the same order; then pushes that told them so."""
    if not draw.has('common-rows', 0.7):
        return
    dice = draw.dice('common-rows')
    rows = events(draw, dice, how_many(dice))
    for broker in draw.replicas:
        mine = list(rows)
        if dice.random() < 0.2:
            dice.shuffle(mine)
        draw.bench.merge(broker, mine)
    if draw.has('points', 0.8):
        if dice.random() < 0.7:
            draw.bench.link_all(draw.replicas)
        else:
            pushes(draw, dice, 0.6)


@step('differing-rows', 'points')
def differing_rows(draw):
    """What only some heard of, in any order, with passes in between that were cut short."""
    if not draw.has('differing-rows', 0.75):
        return
    dice = draw.dice('differing-rows')
    for _ in range(dice.randint(1, 3)):
        for row in events(draw, dice, how_many(dice)):
            for broker in draw.some(dice):
                draw.bench.merge(broker, [row])
        if draw.has('points', 0.8):
            pushes(draw, dice, 0.25)


@step('old-rows')
def old_rows(draw):
    """Rows and tombstones from before reclaim_age: some reclaimed here, some only there."""
    if not draw.has('old-rows', 0.2):
        return
    dice = draw.dice('old-rows')
    for number in range(dice.randint(1, 6)):
        at = draw.moment(dice, ANCIENT, ANCIENT + 20 * DAY)
        row = draw.bench.row('old%d' % number, at, 5, storage_policy_index=draw.policy)
        gone = draw.bench.tombstone('old%d' % number, draw.moment(dice, at + 20, at + DAY))
        gone['storage_policy_index'] = draw.policy
        for broker in draw.some(dice):
            draw.bench.merge(broker, dice.choice(([row], [gone], [row, gone])))


@step('pending', 'old-pending')
def pending(draw):
    """The last things that happened still wait in .pending, where a node may have been upgraded meanwhile."""
    if not draw.has('pending', 0.3):
        return
    dice, ages = draw.dice('pending'), draw.dice('old-pending')
    lengths = PENDING_FIELDS if draw.has('old-pending', 0.3) else (None,)
    for row in events(draw, dice, dice.randint(1, 8)):
        # The same for all: what an entry does not tell must not decide between equal times.
        length = ages.choice(lengths)
        for broker in draw.some(dice):
            pend_entry(draw.bench, broker, row, length)


def pend_entry(bench, broker, row, length):
    if length is None:
        bench.pend(broker, [row])
    else:
        fields = broker.make_tuple_for_pickle(row)[:length]
        bench.pend_raw(broker, [base64.b64encode(pickle.dumps(fields, protocol=2))])


STEPS = (policy, common_rows, differing_rows, old_rows)
LAST = (pending,)

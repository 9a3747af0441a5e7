"""What a random database's replicas say of themselves: times, metadata, policy, reports, sync rows."""
from martlet_stock.bench import ANCIENT, CREATED, DAY
from martlet_stock.seed_rows import ODD, SINCE, UNTIL
from martlet_stock.seed_step import step


@step('timestamps')
def timestamps(draw):
    """created_at: the least; put and delete: the greatest."""
    if not draw.has('timestamps', 0.3):
        return
    dice = draw.dice('timestamps')
    for broker in draw.some(dice):
        values = {}
        if dice.random() < 0.5:
            values['created_at'] = draw.bench.ts(draw.moment(dice, CREATED - 900, CREATED + 900))
        if dice.random() < 0.5:
            values['put_timestamp'] = draw.bench.ts(draw.moment(dice, CREATED, UNTIL))
        if dice.random() < 0.25:
            values['delete_timestamp'] = draw.bench.ts(draw.moment(dice, CREATED, UNTIL))
        if values:
            draw.bench.stat(broker, **values)


@step('metadata')
def metadata(draw):
    """Newest wins by key: set, changed, deleted, deleted long ago, set long ago."""
    if not draw.has('metadata', 0.4):
        return
    dice = draw.dice('metadata')
    prefix = 'X-%s-Meta-' % draw.bench.type.title()
    for _ in range(dice.randint(1, 9)):
        key = prefix + dice.choice(('A', 'B', 'C', 'Ünï', 'Temp-Url-Key'))
        value = dice.choice(('', '', 'v%d' % dice.randrange(99), 'ü' + dice.choice(ODD[:5])))
        at = draw.moment(dice, SINCE, UNTIL) if dice.random() < 0.8 else draw.moment(dice, ANCIENT, ANCIENT + DAY)
        for broker in draw.some(dice):
            broker.update_metadata({key: (value, draw.bench.ts(at))})


@step('sync-store')
def sync_store(draw):
    """Container sync switched on, and off again, with how far each replica has come."""
    if draw.bench.type == 'account' or not draw.has('sync-store', 0.12):
        return
    dice = draw.dice('sync-store')
    for value in ('//realm/cluster/a/c', '', '//realm/cluster/a/other')[:dice.randint(1, 3)]:
        at = draw.bench.ts(draw.moment(dice, SINCE, UNTIL))
        updates = {'X-Container-Sync-To': (value, at), 'X-Container-Sync-Key': (value and 'key', at)}
        for broker in draw.some(dice):
            broker.update_metadata(updates)
    for broker in draw.some(dice):
        broker.set_x_container_sync_points(dice.randrange(9), dice.choice((None, dice.randrange(9))))


@step('policy-conflict')
def policy_conflict(draw):
    """Replicas that were PUT while the nodes could not see each other, each with a policy of its own."""
    if draw.bench.type == 'account' or not draw.has('policy-conflict', 0.25):
        return
    dice = draw.dice('policy-conflict')
    for broker in draw.some(dice):
        broker.set_storage_policy_index(
            draw.any_policy(dice), draw.bench.ts(draw.moment(dice, CREATED, UNTIL)))


def report(broker):
    """As if container-updater had told the account about this state."""
    info = broker.get_info()
    broker.reported(info['put_timestamp'], info['delete_timestamp'], info['object_count'], info['bytes_used'])


@step('deleted')
def deleted(draw):
    """Deleted on some, and created again on some, by an earlier or a later PUT."""
    if not draw.has('deleted', 0.2):
        return
    dice = draw.dice('deleted')
    for broker in draw.some(dice):
        broker.delete_db(draw.bench.ts(draw.moment(dice, SINCE, UNTIL)))
    if dice.random() < 0.5:
        for broker in draw.some(dice):
            broker.update_put_timestamp(draw.bench.ts(draw.moment(dice, SINCE, UNTIL)))
            if draw.bench.type == 'container' and draw.may('policy-conflict') and dice.random() < 0.5:
                broker.set_storage_policy_index(
                    draw.any_policy(dice), draw.bench.ts(draw.moment(dice, SINCE, UNTIL)))


@step('reclaimable')
def reclaimable(draw):
    """Deleted before reclaim_age; the account knows of it from some replicas, from others not."""
    if not draw.has('reclaimable', 0.08):
        return
    dice = draw.dice('reclaimable')
    chosen = draw.replicas if dice.random() < 0.6 else draw.some(dice)
    for broker in chosen:
        draw.bench.stat(broker, created_at=draw.bench.ts(ANCIENT - 2 * DAY),
                        put_timestamp=draw.bench.ts(ANCIENT - DAY), delete_timestamp='0')
        broker.delete_db(draw.bench.ts(draw.moment(dice, ANCIENT, ANCIENT + DAY)))
        if draw.bench.type == 'container' and dice.random() < 0.8:
            report(broker)


@step('reported')
def reported(draw):
    if draw.bench.type == 'container' and draw.has('reported', 0.2):
        for broker in draw.some(draw.dice('reported')):
            report(broker)


@step('strangers')
def strangers(draw):
    """Points of replicas that are no more, fresh ones and some that twice reclaim_age has passed over."""
    if not draw.has('strangers', 0.2):
        return
    dice = draw.dice('strangers')
    for broker in draw.some(dice):
        for age in (0, 10 * DAY, 20 * DAY):
            syncs = [{'remote_id': 'stranger-%d' % dice.randrange(3), 'sync_point': dice.randrange(9)}]
            broker.merge_syncs(syncs, incoming=dice.random() < 0.5)
            if age and has_ages(broker):
                backdate(draw, broker, syncs[0]['remote_id'], str(int(draw.bench.base) - age))


def has_ages(broker):
    """Sync tables of the first releases have no time, and no trigger that writes it."""
    with broker.get() as conn:
        return bool(conn.execute("SELECT 1 FROM sqlite_master WHERE name = 'incoming_sync_update'").fetchall())


def backdate(draw, broker, remote_id, at):
    """The trigger stamps every write with the present, so it has to be away meanwhile."""
    for table in ('incoming_sync', 'outgoing_sync'):
        draw.bench.sql(broker, 'DROP TRIGGER %s_update' % table)
        draw.bench.sql(broker, 'UPDATE %s SET updated_at = ? WHERE remote_id = ?' % table, (at, remote_id))
        draw.bench.sql(broker, "CREATE TRIGGER %s_update AFTER UPDATE ON %s BEGIN UPDATE %s SET updated_at = "
                               "STRFTIME('%%s', 'NOW') WHERE ROWID = new.ROWID; END" % (table, table, table))


STEPS = (timestamps, metadata, sync_store, policy_conflict, deleted, reclaimable, reported, strangers)

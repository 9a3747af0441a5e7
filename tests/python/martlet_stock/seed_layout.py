"""Which replicas a random database has, what lies beside them, and which of them are damaged."""
import os

from martlet_stock import cases_damage, schemas
from martlet_stock.bench import CREATED, DAY
from martlet_stock.seed_step import step


def make(draw, device, part=None):
    """An empty replica, of an earlier release now and then."""
    bench = draw.bench
    dice = draw.dice('schemas %s %s' % (device, part))
    if part is None and draw.has('schemas', 0.12) and dice.random() < 0.6:
        generations = schemas.CONTAINER_GENERATIONS if bench.type == 'container' else schemas.ACCOUNT_GENERATIONS
        broker = schemas.create(bench, device, dice.choice(sorted(generations)), [], CREATED)
    else:
        broker = bench.create(device, part=part)
    draw.brokers[device, bench.part if part is None else part] = broker


@step('missing', 'handoffs', 'wrong-partition', 'schemas')
def replicas(draw):
    bench = draw.bench
    dice = draw.dice('missing')
    present = [dice.random() < 0.65 for _ in bench.primaries] if draw.has('missing', 0.35) else [True] * 3
    for device, there in zip(bench.primaries, present):
        if there:
            make(draw, device)
    if draw.has('handoffs', 0.3):
        make(draw, bench.h)
    if draw.has('wrong-partition', 0.1):
        stray(draw, draw.dice('wrong-partition'))
    if not draw.brokers:
        make(draw, draw.dice('missing all').choice(bench.primaries + [bench.h]))


def stray(draw, dice):
    """A replica in the folder of another partition, on a device that has none and will get none.

    Where one device holds two, stock leaves to chance which of them goes first in a pass.
    """
    bench = draw.bench
    if (bench.h, bench.part) not in draw.brokers:
        count = bench.site.rings[bench.type].partition_count
        make(draw, bench.h, (bench.part + dice.randrange(1, count)) % count)


@step('leftovers')
def leftovers(draw):
    """What crashes and people leave: temporary files of any age, empty directories, foreign files."""
    if not draw.has('leftovers', 0.15):
        return
    dice = draw.dice('leftovers')
    broker = dice.choice(draw.replicas)
    base = draw.bench.base
    for name, age in (('old.tmp', 30 * DAY), ('new.tmp', 60), ('note.txt', 30 * DAY)):
        if dice.random() < 0.5:
            path = os.path.join(broker.db_dir, name)
            with open(path, 'wb') as leftover:
                leftover.write(b'x')
            os.utime(path, (base - age, base - age))
    top = os.path.join(broker.get_device_path(), draw.bench.type + 's')
    for name in ('63/fff', '62', 'not-a-partition/fff', '-1'):
        if dice.random() < 0.3:
            os.makedirs(os.path.join(top, name), exist_ok=True)


# Stock finds these in the pass of the database's own node only: till then its server takes no rows, or loops for
# ever and answers nobody. Ours finds them when first asked, and another copy heals a pass earlier. The fixed cases
# no-rows-table-a, -c and no-stat-row-a, -c hold what both come to.
FOUND_LATE = (cases_damage.no_rows_table, cases_damage.no_stat_row)
DAMAGES = tuple(damage for damage in cases_damage.DAMAGES if damage not in FOUND_LATE)


@step('damage')
def damage(draw):
    if draw.has('damage', 0.15):
        dice = draw.dice('damage')
        broker = dice.choice(draw.replicas)
        dice.choice(DAMAGES)(draw.bench, broker)
        draw.close()


BEFORE = (replicas,)
AFTER = (leftovers, damage)

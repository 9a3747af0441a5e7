"""Replicas that differ about the storage policy, in a cluster of three policies."""
from martlet_stock import schemas
from martlet_stock.bench import CREATED, RECENT
from martlet_stock.case import Cases

CASES = Cases()
ONLY = {'types': ('container',), 'suites': ('policies',)}
case = CASES.case

# What happened to replicas a and b, in the order of time: a create (+), a delete (-), a re-creation (*).
HISTORIES = (
    'a+ b+', 'a+ b+ b-', 'b+ b- a+', 'a+ a- b+', 'a+ a- a* b+', 'b+ a+ a- a*', 'a+ b+ a- a* b-', 'a+ b+ b- a- a*',
    'b+ b- b* a+ a- a*', 'a+ a- b+ b-', 'b+ b- a+ a-')
# Which of them has a row in its policy then.
LAYOUTS = {'none': '', 'a': 'a', 'b': 'b', 'both': 'ab'}
POLICY = {'a': 1, 'b': 2}


def mirrored(history):
    return history.translate(str.maketrans('ab', 'ba'))


def happen(w, history):
    """The replicas that a history leaves, by name."""
    brokers = {}
    for n, (name, event) in enumerate(history.split()):
        at = RECENT + 10 * n
        if event == '+':
            brokers[name] = w.create(getattr(w, name), put=at, policy=POLICY[name])
        elif event == '-':
            brokers[name].delete_db(w.ts(at))
        else:
            brokers[name].update_put_timestamp(w.ts(at))
            brokers[name].update_status_changed_at(w.ts(at))
    return brokers


def conflict(history, layout):
    title = 'policy-%s-%s' % (history.replace(' ', '').translate(str.maketrans('+-*', 'cdr')), layout)

    @case(title, ('complete_rsync',), settles='free', **ONLY)
    def build(w):
        brokers = happen(w, history)
        for name in LAYOUTS[layout]:
            w.merge(brokers[name], [w.row('o-' + name, RECENT + 200, storage_policy_index=POLICY[name])])


for each_history in sorted(set(HISTORIES) | set(map(mirrored, HISTORIES))):
    for each_layout in LAYOUTS:
        conflict(each_history, each_layout)


@case('policies-three', ('diff',), **ONLY)
def policies_three(w):
    """Each replica in a policy of its own, each with rows of all of them."""
    for n, device in enumerate(w.primaries):
        w.create(device, [w.row('o%d-%d' % (n, policy), RECENT + n, 5, storage_policy_index=policy)
                          for policy in range(3)], put=RECENT + 10 * n, policy=2 - n)


@case('policies-far-behind', ('rsync_then_merge',), **ONLY)
def policies_far_behind(w):
    """The whole file goes and is merged; the receiver's policy was right."""
    w.create(w.a, [dict(row, storage_policy_index=1) for row in w.rows(40)], put=RECENT + 10, policy=1)
    w.create(w.b, [w.row('b', RECENT, storage_policy_index=2)], put=RECENT, policy=2)
    w.create(w.c, [dict(row, storage_policy_index=2) for row in w.rows(30)], put=RECENT, policy=2)


@case('policies-one-object-in-two', ('diff',), **ONLY)
def policies_one_object_in_two(w):
    """The same name in two policies is two rows."""
    a, b, _ = (w.create(device, policy=2) for device in w.primaries)
    w.merge(a, [w.row('o', RECENT, 5, storage_policy_index=1), w.tombstone('p', RECENT)])
    w.merge(b, [w.row('o', RECENT + 5, 7, storage_policy_index=2), w.row('p', RECENT, storage_policy_index=1)])


@case('policies-handoff', ('diff', 'removed'), **ONLY)
def policies_handoff(w):
    for device in w.primaries:
        w.create(device, [w.row('o', RECENT, storage_policy_index=2)], put=RECENT, policy=2)
    w.create(w.h, [w.row('h', RECENT, storage_policy_index=0)], put=RECENT + 50, policy=0)


def before_policies(name):
    @case('policies-%s' % name, ('diff',), settles='free', **ONLY)
    def build(w):
        """A database without policies is of policy 0, and is migrated when it learns of another."""
        schemas.create(w, w.a, name, w.rows(3, 'old'), CREATED)
        w.create(w.b, [w.row('b', RECENT, storage_policy_index=1)], put=CREATED - 100, policy=1)
        w.create(w.c, [w.row('c', RECENT, storage_policy_index=1)], put=CREATED - 100, policy=1)

    @case('policies-%s-receives' % name, ('diff',), settles='free', **ONLY)
    def receives(w):
        w.create(w.a, [w.row('a', RECENT, storage_policy_index=2)], put=CREATED + 100, policy=2)
        w.create(w.b, [w.row('b', RECENT, storage_policy_index=2)], put=CREATED + 100, policy=2)
        schemas.create(w, w.c, name, w.rows(3, 'old'), CREATED)


for each_generation in schemas.CONTAINER_GENERATIONS:
    before_policies(each_generation)

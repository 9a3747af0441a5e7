"""Containers that are, were or are not quite synced to another cluster, and the links that say so."""
import os

from martlet_stock.bench import RECENT
from martlet_stock.case import Cases
from martlet_stock.sharding import Stage

CASES = Cases()
case = CASES.case

TO, KEY = 'X-Container-Sync-To', 'X-Container-Sync-Key'


def synced(title):
    return case(title, (), types=('container',), suites=('synced',))


def say(w, broker, **values):
    """Set `to` and `key`."""
    names = {'to': TO, 'key': KEY}
    broker.update_metadata({names[name]: (value, w.ts(RECENT)) for name, value in values.items()})


def link(broker, target=None):
    """The link as the store makes it, or one to somewhere else."""
    path = broker.db_file.replace('/containers/', '/sync_containers/')
    os.makedirs(os.path.dirname(path))
    os.symlink(target or broker.db_file, path)


@synced('never-synced')
def never_synced(w):
    w.triplet(w.rows(2))


@synced('both-are-set')
def both_are_set(w):
    for broker in w.triplet(w.rows(2)):
        say(w, broker, to='//realm/other/a/c', key='secret')


@synced('only-to')
def only_to(w):
    for broker in w.triplet(w.rows(2)):
        say(w, broker, to='//realm/other/a/c')
        link(broker)


@synced('only-key')
def only_key(w):
    for broker in w.triplet(w.rows(2)):
        say(w, broker, key='secret')
        link(broker)


@synced('emptied')
def emptied(w):
    for broker in w.triplet(w.rows(2)):
        say(w, broker, to='', key='')
        link(broker)


@synced('emptied-without-a-link')
def emptied_without_a_link(w):
    for broker in w.triplet(w.rows(2)):
        say(w, broker, to='', key='secret')


@synced('deleted')
def deleted(w):
    for broker in w.triplet():
        say(w, broker, to='//realm/other/a/c', key='secret')
        link(broker)
        broker.delete_db(w.ts(RECENT))


@synced('linked-already')
def linked_already(w):
    for broker in w.triplet(w.rows(2)):
        say(w, broker, to='//realm/other/a/c', key='secret')
        link(broker)


@synced('dangling')
def dangling(w):
    for broker in w.triplet(w.rows(2)):
        say(w, broker, to='//realm/other/a/c', key='secret')
        link(broker, broker.db_file + '.gone')


@synced('learnt-from-a-peer')
def learnt_from_a_peer(w):
    a, _, _ = w.triplet(w.rows(2))
    say(w, a, to='//realm/other/a/c', key='secret')


@synced('handed-over')
def handed_over(w):
    w.triplet(w.rows(2))
    broker = w.create(w.h, w.rows(3))
    say(w, broker, to='//realm/other/a/c', key='secret')
    link(broker)


for stage in ('sharding', 'sharded', 'collapsed'):
    def build(w, stage=stage):
        for device in (w.a, w.b, w.c):
            broker = getattr(Stage(w, device, w.rows(2)), stage)()
            say(w, broker, to='//realm/other/a/c', key='secret')
    synced(stage)(build)

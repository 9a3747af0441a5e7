"""Whether all replicas are equal, and equal to what was acknowledged.

    python chaos_verdict.py FOLDER RECORD

FOLDER is the cluster's, RECORD what chaos_load.py wrote. Prints a JSON object: operations,
acknowledged, databases, rows, and faults, a list of sentences, empty if all is well.
"""
import json
import sys

from martlet_chaos.client import acknowledged, model_of
from martlet_chaos.disks import Disks


def live(rows):
    return [row for row in rows if not row['deleted']]


def judge_metadata(title, prefix, found, choices):
    for key, choice in sorted(choices.items()):
        value = found.get(prefix + key, [''])[0]
        if not choice.allows(value):
            yield '%s: %s%s is %r, acknowledged: %r' % (title, prefix, key, value, choice.values)


def judge_container(title, container, content):
    """The faults of one container."""
    if content is None:
        if container.present.certain(True):
            yield '%s is nowhere' % title
        return
    rows = {row['name']: row for row in live(content['rows'])}
    for name, choice in sorted(container.objects.items()):
        row = rows.pop(name, None)
        value = row and (row['size'], row['etag'], row['content_type'])
        if not choice.allows(value):
            yield '%s/%s is listed as %r, acknowledged: %r' % (title, name, value, choice.values)
    for name in sorted(rows):
        yield '%s/%s is listed, and nobody put it' % (title, name)
    stat = content['stat']
    yield from judge_metadata(title, 'X-Container-Meta-', stat['metadata'] or {}, container.metadata)
    if not live(content['rows']) and not container.present.allows(not deleted(content)):
        yield '%s has put %s and delete %s, acknowledged: %r' % (
            title, stat['put_timestamp'], stat['delete_timestamp'], container.present.values)


def deleted(content):
    stat = content['stat']
    return stat['object_count'] == 0 and float(stat['delete_timestamp']) > float(stat['put_timestamp'])


def judge_account(account, choices, content, containers):
    """An account lists what its containers say of themselves."""
    if content is None:
        yield 'account %s is nowhere' % account
        return
    title = 'account %s' % account
    stat = content['stat']
    yield from judge_metadata(title, 'X-Account-Meta-', stat['metadata'] or {}, choices)
    listed = {row['name']: [row['object_count'], row['bytes_used']] for row in live(content['rows'])}
    there = {name: [content['stat']['object_count'], content['stat']['bytes_used']]
             for name, content in containers.items() if content and not deleted(content)}
    for name in sorted(set(listed) | set(there)):
        if listed.get(name) != there.get(name):
            yield '%s lists %s with (objects, bytes) %s, the container has %s' % (
                title, name, listed.get(name), there.get(name))


def judge(folder, lines):
    containers, accounts = model_of(lines)
    disks, account_disks = Disks(folder, 'container'), Disks(folder, 'account')
    faults, contents, count = [], {}, [0, 0]
    for (account, name), container in sorted(containers.items()):
        own, content = disks.take(account, name)
        faults += own + list(judge_container('container %s/%s' % (account, name), container, content))
        contents.setdefault(account, {})[name] = content
        if content is not None:
            count[0] += 1
            count[1] += len(content['rows'])
    for account in sorted(contents):
        own, content = account_disks.take(account)
        faults += own + list(judge_account(account, accounts[account], content, contents[account]))
        count[0] += 1
    for side in (disks, account_disks):
        faults += ['%s %s is of nobody' % (side.type, digest) for digest in sorted(side.copies)]
        faults += ['quarantined on %s: %s' % pair for pair in sorted(side.quarantined.items())]
    return {'operations': len(lines), 'acknowledged': sum(acknowledged(json.loads(line)) for line in lines),
            'databases': count[0], 'rows': count[1], 'faults': faults}


if __name__ == '__main__':
    with open(sys.argv[2]) as record:
        print(json.dumps(judge(sys.argv[1], record.read().splitlines())))

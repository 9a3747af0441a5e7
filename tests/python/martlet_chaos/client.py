"""One client: random operations on names of its own, one after the other, and a record of each.

Record: a JSON line per operation, before the next one begins:
{"account", "container", "object" (or null), "op", "key", "value", "status"}; status 0 is a connection
that failed. `model_of` reads it back.
"""
import collections
import hashlib
import http.client
import json

from martlet_chaos.model import Choice, Container

PROXY = ('127.0.0.1', 8080)
TIMEOUT = 30
KEYS = ('Colour', 'Size')
OBJECTS = 8
# Weights.
OPERATIONS = {'put_object': 40, 'delete_object': 20, 'post_object': 10, 'post_container': 12,
              'put_container': 4, 'delete_container': 8, 'post_account': 6}


class Proxy:
    """Requests to the proxy, on a connection that is made again when it breaks."""

    def __init__(self, user, key):
        self.connection = http.client.HTTPConnection(*PROXY, timeout=TIMEOUT)
        self.user, self.key, self.token = user, key, None

    def authenticate(self):
        answer = self.exchange('GET', '/auth/v1.0', {'X-Auth-User': self.user, 'X-Auth-Key': self.key})
        if answer is None or answer.status != 200:
            raise SystemExit('tempauth answers %s' % (answer and answer.status))
        self.token = answer.headers['X-Auth-Token']

    def request(self, method, path, headers=None, body=b''):
        """The status; 0 if there was no answer."""
        answer = self.exchange(method, '/v1/' + path, dict(headers or {}, **{'X-Auth-Token': self.token}), body)
        return answer.status if answer else 0

    def exchange(self, method, path, headers, body=b''):
        try:
            self.connection.request(method, path, body, headers)
            answer = self.connection.getresponse()
            answer.read()
            return answer
        except (OSError, http.client.HTTPException):
            self.connection.close()
            return None


class Client:
    """Owns its containers, its objects in the shared ones, and its metadata keys everywhere."""

    def __init__(self, number, account, proxy, random, record):
        self.number, self.account, self.proxy = number, account, proxy
        self.random, self.record = random, record
        self.own = ['own-%d-%d' % (number, n) for n in range(3)]
        self.shared = ['shared-%d' % n for n in range(2)]
        self.world = collections.defaultdict(Container)
        for name in self.shared:
            self.world[name].present = Choice(True)

    def run(self, operations):
        for _ in range(operations):
            self.step(self.random.choices(list(OPERATIONS), OPERATIONS.values())[0])

    def step(self, op):
        if op == 'post_account':
            self.post_account()
            return
        own = op in ('put_container', 'delete_container')
        name = self.random.choice(self.own if own else self.own + self.shared)
        container = self.world[name]
        if not container.present.certain(True):
            self.put_container(name)
        elif op == 'delete_container':
            self.delete_container(name)
        elif op in ('post_object', 'delete_object'):
            there = [key for key, choice in container.objects.items() if not choice.certain(None)]
            if there:
                getattr(self, op)(name, self.random.choice(there))
            else:
                self.put_object(name)
        else:
            getattr(self, op)(name)

    def post_account(self):
        key, value = self.key(), self.value()
        headers = {'X-Account-Meta-' + key: value}
        self.send('post_account', 'POST', None, None, headers=headers, key=key, value=value)

    def put_container(self, name):
        # The same policy each time, so that no two replicas disagree on it.
        policy = 'silver' if name in self.own and int(name[-1]) == 2 else 'gold'
        self.send('put_container', 'PUT', name, None, headers={'X-Storage-Policy': policy})

    def delete_container(self, name):
        """Empties it first. Where that was not acknowledged, it may be refused."""
        for key, choice in list(self.world[name].objects.items()):
            if not choice.certain(None):
                self.delete_object(name, key)
        self.send('delete_container', 'DELETE', name, None)

    def post_container(self, name):
        key, value = self.key(), self.value()
        headers = {'X-Container-Meta-' + key: value}
        self.send('post_container', 'POST', name, None, headers=headers, key=key, value=value)

    def put_object(self, name):
        body = b'%d' % self.random.randrange(10 ** self.random.randrange(1, 30))
        value = [len(body), hashlib.md5(body).hexdigest(), self.content_type()]
        headers = {'Content-Type': value[2]}
        self.send('put_object', 'PUT', name, self.object(), headers=headers, body=body, value=value)

    def post_object(self, name, key):
        value = self.content_type()
        headers = {'Content-Type': value, 'X-Object-Meta-Colour': self.value()}
        self.send('post_object', 'POST', name, key, headers=headers, value=value)

    def delete_object(self, name, key):
        self.send('delete_object', 'DELETE', name, key)

    def send(self, op, method, container, key_of_object, *, headers=None, body=b'', key=None, value=None):
        path = '/'.join(part for part in (self.account, container, key_of_object) if part is not None)
        status = self.proxy.request(method, path, headers, body)
        record = {'account': self.account, 'container': container, 'object': key_of_object, 'op': op,
                  'key': key, 'value': value, 'status': status}
        self.record(json.dumps(record))
        if container is not None:
            apply(self.world[container], record)

    def key(self):
        return '%s-%d' % (self.random.choice(KEYS), self.number)

    def value(self):
        return '%06d' % self.random.randrange(10 ** 6)

    def object(self):
        return 'object-%d-%d' % (self.number, self.random.randrange(OBJECTS))

    def content_type(self):
        return 'text/x-%d' % self.random.randrange(10 ** 6)


def acknowledged(record):
    return 200 <= record['status'] < 300


def apply(container, record):
    """What an operation on a container or an object means for the container."""
    op, sure, value = record['op'], acknowledged(record), record['value']
    if op == 'put_container':
        container.put(sure)
    elif op == 'delete_container':
        container.delete(sure)
    elif op == 'post_container':
        container.post(record['key'], value, sure)
    else:
        choice = container.object(record['object'])
        if op == 'put_object':
            choice.becomes(tuple(value), sure)
        elif op == 'delete_object':
            choice.becomes(None, sure)
        else:
            choice.maps(lambda old: old and (old[0], old[1], value), sure)


def model_of(lines):
    """(containers by (account, name), metadata by account) that a record allows."""
    containers = collections.defaultdict(Container)
    accounts = collections.defaultdict(lambda: collections.defaultdict(lambda: Choice('')))
    for line in lines:
        record = json.loads(line)
        if record['op'] == 'post_account':
            choice = accounts[record['account']][record['key']]
            choice.becomes(record['value'], acknowledged(record))
        else:
            apply(containers[record['account'], record['container']], record)
    return containers, accounts

"""Requests other than REPLICATE, as updaters, sharder and reconciler send them, and odder ones."""
import itertools
import json
import re
import socket
import urllib.parse

from swift.common import direct_client
from swift.common.bufferedhttp import http_connect
from swift.common.exceptions import ClientException
from swift.common.utils import ShardRange, Timestamp

# Values that differ between two runs whoever answers.
CHANGING = re.compile(r'^(date|x-trans-id|x-openstack-request-id|x-timestamp|x-backend-timestamp|last-modified|'
                      r'x-backend-put-timestamp|connection)$')


def told(headers):
    """Sorted name and value pairs, a changing value as `…`; Connection is a matter of each hop."""
    pairs = [(name.lower(), value) for name, value in headers if name.lower() != 'connection']
    return sorted((name, '…' if CHANGING.match(name) else value) for name, value in pairs)


def by_direct_client(request):
    """Stock's own client: the outcome of each call."""
    node = {'ip': request['ip'], 'port': request['port'], 'device': request['device'],
            'replication_ip': request['ip'], 'replication_port': request['port']}
    on_replication = {'X-Backend-Use-Replication-Network': 'true'}

    def headers(timestamp, **more):
        return dict(on_replication, **{'X-Timestamp': '%016.5f' % timestamp},
                    **{name.replace('_', '-'): value for name, value in more.items()})

    calls = CALLS[request['type']]
    outcomes = []
    for title, call in calls(node, request, headers):
        try:
            outcome = call()
            if isinstance(outcome, tuple):
                outcome = [told(outcome[0].items()), outcome[1]]
            elif isinstance(outcome, dict):
                outcome = told(outcome.items())
            elif outcome is not None:
                outcome = [outcome.status, told(outcome.getheaders())]
        except ClientException as error:
            outcome = [error.http_status, told(error.http_headers.items())]
        outcomes.append([title, outcome])
    return json.loads(json.dumps(outcomes))


def account_calls(node, request, headers):
    part, name = request['part'], request['account']
    client = direct_client
    yield 'missing', lambda: ask(node, part, 'HEAD', '/' + name, headers(1))
    yield 'put', lambda: ask(node, part, 'PUT', '/' + name, headers(1, X_Account_Meta_Colour='blue'))
    for number in range(30):
        path = '/%s/c%02d \u2603' % (name, number)
        yield 'container %d' % number, lambda path=path: ask(
            node, part, 'PUT', path, headers(2, X_Put_Timestamp='0000000002.00000', X_Delete_Timestamp='0',
                                      X_Object_Count='3', X_Bytes_Used='7',
                                      X_Backend_Storage_Policy_Index='0'))
    yield 'listing', lambda: client.direct_get_account(node, part, name, headers=headers(3))
    yield 'page', lambda: client.direct_get_account(
        node, part, name, marker='c03', limit=4, prefix='c', headers=headers(3))
    yield 'reserved', lambda: client.direct_get_account(
        node, part, name, marker='\0', headers=headers(3))
    yield 'head', lambda: ask(node, part, 'HEAD', '/' + name, headers(3))
    yield 'delete', lambda: client.direct_delete_account(node, part, name, headers=headers(4))
    yield 'deleted', lambda: ask(node, part, 'HEAD', '/' + name, headers(5))


def container_calls(node, request, headers):
    part, account, name = request['part'], request['account'], request['container']
    client = direct_client
    yield 'missing', lambda: client.direct_head_container(node, part, account, name)
    yield 'put', lambda: client.direct_put_container(
        node, part, account, name,
        headers=headers(1, X_Backend_Storage_Policy_Index='0', X_Container_Meta_Colour='blue'))
    for number in range(300):
        yield 'object %d' % number, lambda number=number: client.direct_put_container_object(
            node, part, account, name, 'o%05d %s \u2603' % (number, 'long' * 100),
            headers=headers(2, X_Size='1', X_Content_Type='text/plain', X_Etag='e'))
    yield 'delete object', lambda: client.direct_delete_container_object(
        node, part, account, name, 'o00007 %s \u2603' % ('long' * 100), headers=headers(3))
    yield 'post', lambda: client.direct_post_container(
        node, part, account, name, headers=headers(4, X_Container_Meta_Shape='round'))
    yield 'listing', lambda: client.direct_get_container(node, part, account, name)
    yield 'page', lambda: client.direct_get_container(
        node, part, account, name, marker='o00005 \u2603', end_marker='o00100', limit=10, reverse='true')
    yield 'shards', lambda: client.direct_get_container(
        node, part, account, name, headers=dict(headers(5), **{'X-Backend-Record-Type': 'shard'}))
    ranges = [dict(ShardRange('.shards_a/s-0', Timestamp(6), '', 'o00100', 100, 100))]
    yield 'put shards', lambda: client.direct_put_container(
        node, part, account, name, contents=json.dumps(ranges).encode(),
        headers=headers(6, X_Backend_Record_Type='shard', X_Backend_Storage_Policy_Index='0'))
    yield 'shards again', lambda: client.direct_get_container(
        node, part, account, name, headers=dict(headers(7), **{'X-Backend-Record-Type': 'shard'}))
    yield 'head', lambda: client.direct_head_container(node, part, account, name)
    yield 'delete', lambda: client.direct_delete_container(node, part, account, name, headers=headers(8))


def ask(node, part, method, path, headers):
    """A request without a body, the way the updaters send it."""
    connection = http_connect(node['ip'], node['port'], node['device'], part, method, path, headers=headers)
    response = connection.getresponse()
    response.read()
    return response


CALLS = {'account': account_calls, 'container': container_calls}


def raw(request):
    """Sends bytes as they are and reads to the end; the answer's status line, headers and body.

    The end of the answer is the end of the connection: every request says close, or is one that stock's
    server ends so.
    """
    outcomes = []
    for title, text in odd_requests(request):
        with socket.create_connection((request['ip'], request['port']), timeout=30) as connection:
            try:
                connection.sendall(text)
            except OSError:
                pass
            answer = b''
            try:
                while part := connection.recv(1 << 16):
                    answer += part
            except ConnectionResetError:
                pass
        outcomes.append([title, split(answer.replace(request['device'].encode(), b'DEVICE'))])
    return outcomes


def split(answer):
    """Each head of an answer (100 Continue comes before another) with its headers told, and the rest."""
    heads = []
    while answer.startswith(b'HTTP/') and b'\r\n\r\n' in answer:
        head, answer = answer.split(b'\r\n\r\n', 1)
        lines = head.decode('latin-1').split('\r\n')
        heads.append([lines[0], told(line.split(': ', 1) for line in lines[1:])])
    return [heads, answer.decode('latin-1')]


def odd_requests(request):
    device, part = request['device'], request['part']
    name = request['account'] + '-raw'
    if request['type'] == 'container':
        name += '/' + request['container']
    place = '/%s/%d/%s' % (device, part, urllib.parse.quote(name))

    clock = itertools.count(10)

    def text(line, *lines, body=b'', closing=True):
        lines = [line.encode('utf-8'), b'Host: x', b'X-Timestamp: %016.5f' % next(clock),
                 b'X-Backend-Storage-Policy-Index: 0', *lines]
        if closing:
            lines.append(b'Connection: close')
        return b'\r\n'.join(lines) + b'\r\n\r\n' + body

    put = 'PUT %s HTTP/1.1' % place
    meta = b'X-%s-Meta-' % request['type'].capitalize().encode()
    yield 'put', text(put, b'Content-Length: 0')
    yield 'unicode names', text(put, meta + 'Schneemann-\u2603: \u2603'.encode(), b'Content-Length: 0')
    yield 'unicode names shown', text('HEAD %s HTTP/1.1' % place)
    yield 'repeated headers', text(put, meta + b'Twice: 1', meta + b'Twice: 2', b'Content-Length: 0')
    yield 'repeated headers shown', text('HEAD %s HTTP/1.1' % place)
    yield 'chunked', text(put, b'Transfer-Encoding: chunked', body=b'3\r\nabc\r\n0\r\n\r\n')
    yield 'expect', text(put, b'Expect: 100-continue', b'Content-Length: 3', body=b'abc')
    yield 'update', text('UPDATE %s HTTP/1.1' % place, b'Content-Length: 2', body=b'[]')
    yield 'bad update', text('UPDATE %s HTTP/1.1' % place, b'Content-Length: 3', body=b'[{}')
    yield 'xml', text('GET %s?format=xml&limit=2 HTTP/1.1' % place)
    yield 'accept', text('GET %s HTTP/1.1' % place, b'Accept: application/json;q=0.5, text/plain')
    yield 'bad query', text('GET %s?limit=x&marker=%%ff HTTP/1.1' % place)
    yield 'options', text('OPTIONS %s HTTP/1.1' % place)
    yield 'no such verb', text('BREW %s HTTP/1.1' % place)
    yield 'a private method', text('__init__ %s HTTP/1.1' % place)
    yield 'lower case', text('replicate %s HTTP/1.1' % place)
    yield 'slash and null in a name', text('GET /%s/%d/%%00a%%2F%%00b%%00c HTTP/1.1' % (device, part))
    yield 'bad utf-8', text('GET /%s/%d/%%ff/%%ff HTTP/1.1' % (device, part))
    yield 'no such device', text('GET /nowhere/%d/a/c HTTP/1.1' % part)
    yield 'too short a path', text('GET / HTTP/1.1')
    yield 'http 1.0', text('GET %s HTTP/1.0' % place, closing=False)
    yield 'no timestamp', b'DELETE %s HTTP/1.1\r\nConnection: close\r\n\r\n' % place.encode()
    yield 'bad length', text(put, b'Content-Length: x')
    yield 'a long line', text('GET %s?%s HTTP/1.1' % (place, 'x' * 9000))
    yield 'a long header', text('GET %s HTTP/1.1' % place, b'X-Long: ' + b'x' * 9000)
    yield 'many headers', text('GET %s HTTP/1.1' % place, *[b'X-%d: %s' % (n, b'x' * 700) for n in range(99)])

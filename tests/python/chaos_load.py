"""The load of `cargo xtask chaos`: clients that work at the same time, each from a seed of its own.

    python chaos_load.py SEED CLIENTS OPERATIONS RECORD

First makes what the clients share; prints `ready`, then works, and ends when all have done their
operations. RECORD gets a line per operation, see martlet_chaos.client.
"""
import random
import sys
import threading

from martlet_chaos.client import Client, Proxy

USERS = (('test:tester', 'testing', 'AUTH_test'), ('test2:tester2', 'testing2', 'AUTH_test2'))


def main():
    seed, clients, operations = (int(word) for word in sys.argv[1:4])
    with open(sys.argv[4], 'w') as file:
        load(seed, clients, operations, file)


def load(seed, count, operations, file):
    lock = threading.Lock()

    def record(line):
        with lock:
            file.write(line + '\n')
            file.flush()

    clients = []
    for number in range(count):
        user, key, account = USERS[number % len(USERS)]
        proxy = Proxy(user, key)
        proxy.authenticate()
        chance = random.Random('%d client %d' % (seed, number))
        clients.append(Client(number, account, proxy, chance, record))
    for client in clients[:len(USERS)]:
        for name in client.shared:
            client.put_container(name)
            if not client.world[name].present.certain(True):
                raise SystemExit('%s cannot be made' % name)
    print('ready', flush=True)
    threads = [threading.Thread(target=client.run, args=(operations,)) for client in clients]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


if __name__ == '__main__':
    main()

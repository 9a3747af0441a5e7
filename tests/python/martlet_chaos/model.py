"""What may be true after a client's operations, some of whose answers nobody knows.

A thing's possible values are a list. An acknowledged operation leaves its result alone; one that
failed may have happened, now or when its replica comes back, so its result joins what was possible.
Whoever owns a name does one operation at a time on it, and the proxy's clock puts them in order.
"""


class Choice:
    """A value of which all possibilities are known."""

    def __init__(self, *values):
        self.values = list(values)

    def becomes(self, value, acknowledged):
        self.maps(lambda _: value, acknowledged)

    def maps(self, change, acknowledged):
        """`change` is what the operation makes of each possible value."""
        after = [change(value) for value in self.values]
        if not acknowledged:
            after += self.values
        self.values = [value for place, value in enumerate(after) if value not in after[:place]]

    def joins(self, value):
        self.becomes(value, acknowledged=False)

    def certain(self, value):
        return self.values == [value]

    def allows(self, value):
        return value in self.values


class Container:
    """A container: whether it is there, its metadata, and its objects, (size, etag, type) or None."""

    def __init__(self):
        self.present = Choice(False)
        self.metadata = {}
        self.objects = {}

    def meta(self, key):
        return self.metadata.setdefault(key, Choice(''))

    def object(self, name):
        return self.objects.setdefault(name, Choice(None))

    def put(self, acknowledged):
        self.present.becomes(True, acknowledged)

    def post(self, key, value, acknowledged):
        # A POST renews the container: one whose deletion a replica has not heard of lives on.
        self.present.becomes(True, acknowledged)
        self.meta(key).becomes(value, acknowledged)

    def delete(self, acknowledged):
        self.present.becomes(False, acknowledged)
        # Each replica clears the keys that it knows by then.
        for choice in self.metadata.values():
            choice.joins('')

    def seems_empty(self):
        return all(choice.certain(None) for choice in self.objects.values())

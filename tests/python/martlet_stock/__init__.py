"""What the testkit asks of stock Swift: rings, starting bytes, passes, servers and logical dumps."""

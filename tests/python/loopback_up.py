"""Brings the loopback interface of a new network namespace up.

It also gets an address that is none of loopback's, for whoever wants to be a stranger: nothing leaves the namespace.
"""
import fcntl
import socket
import struct

SIOCGIFFLAGS, SIOCSIFFLAGS, IFF_UP = 0x8913, 0x8914, 1
REQUEST = struct.Struct('16sh14x')
SIOCSIFADDR, ADDRESS = 0x8916, struct.Struct('16sHH4s8x')
STRANGER = '192.0.2.9'

with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
    name, flags = REQUEST.unpack(fcntl.ioctl(any_socket, SIOCGIFFLAGS, REQUEST.pack(b'lo', 0)))
    fcntl.ioctl(any_socket, SIOCSIFFLAGS, REQUEST.pack(name, flags | IFF_UP))
    fcntl.ioctl(any_socket, SIOCSIFADDR, ADDRESS.pack(b'lo:1', socket.AF_INET, 0, socket.inet_aton(STRANGER)))

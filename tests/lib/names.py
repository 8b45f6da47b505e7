"""A machine whose names are the test's own: a name server that answers as it is told, honestly or not, and resolver files that lead to it."""

import contextlib
import ctypes
import os
import pathlib
import socket
import struct
import tempfile
import threading

CLONE_NEWNS, MS_BIND, MS_REC, MS_PRIVATE = 0x20000, 0x1000, 0x4000, 0x40000
A, CNAME, SOA, AAAA, SVCB, HTTPS = 1, 5, 6, 28, 64, 65
AT, POINTER_TO_QUESTION = "127.0.0.1", b"\xc0\x0c"


def wire(name):
    return b"".join(bytes([len(label)]) + label.encode() for label in name.split(".") if label) + b"\0"


def record(type, data, owner=POINTER_TO_QUESTION, ttl=60):
    return (wire(owner) if isinstance(owner, str) else owner) + struct.pack("!HHIH", type, 1, ttl & 0xFFFFFFFF, len(data)) + data


def address(text, **more):
    six = ":" in text
    return record(AAAA if six else A, socket.inet_pton(socket.AF_INET6 if six else socket.AF_INET, text), **more)


class Query:
    def __init__(self, data, stream):
        self.id, self.stream, labels, at = data[:2], stream, [], 12
        while data[at]:
            labels.append(data[at + 1:at + 1 + data[at]].decode("latin-1"))
            at += 1 + data[at]
        self.name, self.question = ".".join(labels), data[12:at + 5]
        (self.type,) = struct.unpack("!H", data[at + 1:at + 3])

    def reply(self, *answers, authority=(), additional=(), flags=0x8180, id=None, question=None, counts=None):
        counts = counts or (1, len(answers), len(authority), len(additional))
        return (id or self.id) + struct.pack("!H4H", flags, *counts) + (question or self.question) + b"".join((*answers, *authority, *additional))

    def addresses(self, *texts, **more):
        """What an honest server says: the addresses of the type that was asked for."""
        return self.reply(*(address(text, **more) for text in texts if (self.type == AAAA) == (":" in text)))


class Machine:
    """For a test in a network namespace of its own (network.in_namespace). zone: lower-case name -> addresses, or a function of the
    query that gives packets, each bytes or (socket, bytes). asked: the names of all questions, as they were written."""

    def __init__(self, zone=None, resolv="", hosts="127.0.0.1 localhost\n::1 localhost\n"):
        self.zone, self.asked = zone or {}, []
        self.files = {"/etc/resolv.conf": f"nameserver {AT}\n{resolv}", "/etc/hosts": hosts, "/etc/nsswitch.conf": "hosts: files dns\n"}

    def __enter__(self):
        libc = ctypes.CDLL(None, use_errno=True)
        self.directory = pathlib.Path(tempfile.mkdtemp(prefix="sandlock-names-"))
        self.directory.chmod(0o755)
        mounts = [(b"none", b"/", MS_REC | MS_PRIVATE)]
        for path, text in self.files.items():
            (self.directory / os.path.basename(path)).write_text(text)
            if os.path.exists(path):
                mounts.append((str(self.directory / os.path.basename(path)).encode(), path.encode(), MS_BIND))
        if libc.unshare(CLONE_NEWNS) or any(libc.mount(source, target, None, flags, None) for source, target, flags in mounts):
            raise OSError(ctypes.get_errno(), "the resolver's files cannot be replaced")
        self.socket = self.bound(AT)
        self.stream = socket.create_server((AT, 53))
        for serve in (self.serve, self.serve_streams):
            threading.Thread(target=serve, daemon=True).start()
        return self

    @staticmethod
    def bound(host, port=53):
        s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        s.bind((host, port))
        return s

    def answers(self, data, stream=False):
        query = Query(data, stream)
        self.asked.append(query.name)
        known = self.zone.get(query.name.lower())
        if callable(known):
            return known(query)
        return [query.reply(flags=0x8183) if known is None else query.addresses(*known)]

    def serve(self):
        while True:
            data, peer = self.socket.recvfrom(4096)
            for packet in self.answers(data):
                source, packet = packet if isinstance(packet, tuple) else (self.socket, packet)
                source.sendto(packet, peer)

    def serve_streams(self):
        while True:
            connection, _ = self.stream.accept()
            with connection, contextlib.suppress(OSError):
                (length,) = struct.unpack("!H", connection.recv(2, socket.MSG_WAITALL))
                for packet in self.answers(connection.recv(length, socket.MSG_WAITALL), True):
                    connection.sendall(struct.pack("!H", len(packet)) + packet)

    def __exit__(self, *_):
        """The process that has the namespaces ends with the test, and everything here with it."""
        for path in self.directory.iterdir():
            path.unlink()
        self.directory.rmdir()

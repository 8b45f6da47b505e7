"""A program cannot make its supervisor wait, spin, or forget what is due."""

import subprocess
import textwrap
import time

import sandbox
from sandbox import PYTHON

# Threads that hold the lock of the address space in turns, and one whose calls the supervisor must read.
HOLD = r"""
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>
static char *memory;
static size_t size;
static volatile int go;
static void *hold(void *unused)
{
    while (!go)
        usleep(1000);
    for (;;) {
        mprotect(memory, size, PROT_NONE);
        mprotect(memory, size, PROT_READ);
    }
    return unused;
}
int main(int argc, char **argv)
{
    struct sockaddr_un address = {AF_UNIX, "/nonexistent"};
    pthread_attr_t attr;
    pthread_t thread;
    (void)argc;
    size = strtoul(argv[1], NULL, 10) << 30;
    memory = mmap(NULL, size, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (memory == MAP_FAILED)
        return 2;
    madvise(memory, size, MADV_NOHUGEPAGE);
    madvise(memory, size, 22 /* MADV_POPULATE_READ */);
    pthread_attr_init(&attr);
    pthread_attr_setstacksize(&attr, 65536);
    for (int i = 0; i < 150; i++)
        pthread_create(&thread, &attr, hold, NULL);
    puts("up");
    fflush(stdout);
    go = 1;
    for (int fd = socket(AF_UNIX, SOCK_STREAM, 0);;)
        connect(fd, (void *)&address, sizeof address);
}
"""


def holder(compiled, *options):
    program = compiled("hold", HOLD)
    child = subprocess.Popen([sandbox.SANDLOCK, "run", "-q", "-r", "/", *options, "--", str(program), "8"], stdout=subprocess.PIPE, text=True,
                             env=sandbox.clean_environment())
    assert child.stdout.readline() == "up\n"
    return child


def test_time_limit_with_a_held_address_space(compiled):
    child = holder(compiled, "--timeout", "4s", "--kill-after", "500ms")
    begin = time.monotonic()
    try:
        assert child.wait(20) == 124 and time.monotonic() - begin < 5.5
    finally:
        child.kill()
        child.communicate()


def test_termination_with_a_held_address_space(compiled):
    child = holder(compiled, "--kill-after", "500ms")
    try:
        time.sleep(0.5)
        begin = time.monotonic()
        child.terminate()
        assert child.wait(20) == 143 and time.monotonic() - begin < 2
    finally:
        child.kill()
        child.communicate()


def cpu_ticks(pid):
    fields = open(f"/proc/{pid}/stat").read().rsplit(")", 1)[1].split()
    return int(fields[11]) + int(fields[12])


def test_half_closed_netlink_does_not_spin(compiled):
    code = """
    import socket, sys
    s = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 0)
    s.shutdown(socket.SHUT_WR)
    print(s.recv(10), flush=True)
    sys.stdin.read()
    """
    child = subprocess.Popen([sandbox.SANDLOCK, "run", *sandbox.SYSTEM, "--view", "none", "--", PYTHON, "-I", "-c", textwrap.dedent(code)],
                             stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=sandbox.clean_environment())
    try:
        assert child.stdout.readline() == "b''\n"
        before = cpu_ticks(child.pid)
        time.sleep(0.5)
        assert cpu_ticks(child.pid) - before < 5
    finally:
        child.communicate()

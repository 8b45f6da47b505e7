"""Real programs over the network: they reach what is allowed, and fail at the rest as without a network."""

import os
import pathlib
import shutil
import socket
import subprocess

import pytest

import network
import sandbox
from network import ALLOWED, OTHER, Datagrams, Server, needs, needs_namespace, rule
from sandbox import PYTHON, python, run


# ---------------------------------------------------------------- clients


def reachable(host, port):
    with socket.socket() as s:
        return s.connect_ex((host, port)) == 0


@needs("curl")
def test_curl():
    with Server(OTHER) as other, subprocess.Popen([PYTHON, "-I", "-m", "http.server", "--bind", ALLOWED, str(port := network.unused_port(ALLOWED)),
                                                   "-d", "/usr/share"], stderr=subprocess.DEVNULL) as web:
        try:
            assert sandbox.wait_for(lambda: reachable(ALLOWED, port))
            done = run("--net-allow", f"tcp://{ALLOWED}:{port}", cmd=["curl", "-sS", "-o", "/dev/null", "-w", "%{http_code}", f"http://{ALLOWED}:{port}/"])
            assert done.status == 0 and done.out == "200", done
            done = run("--net-allow", f"tcp://{ALLOWED}:{port}", cmd=["curl", "-sS", f"http://{OTHER}:{other.port}/"])
            assert done.status == 7 and other.connections == 0, done
        finally:
            web.kill()


@needs("node")
def test_node():
    code = """
    const net = require("net");
    const go = (host, port) => new Promise(r => { const s = net.connect(port, host);
      s.on("data", d => { s.destroy(); r(d.toString()) }); s.on("error", e => r(e.code)); s.on("connect", () => s.write("hi")) });
    (async () => console.log(await go("%s", %d), await go("%s", %d)))();
    """
    with Server(ALLOWED) as allowed, Server(OTHER) as other:
        done = run("--fs-read-if-exists", "/proc", *rule(allowed), cmd=["node", "-e", code % (ALLOWED, allowed.port, OTHER, other.port)])
        assert done.status == 0 and done.out.split() == ["hi", "ECONNREFUSED"], done


@needs("git")
def test_git_over_http(tmp_path):
    work, bare = tmp_path / "work", tmp_path / "www" / "repo.git"
    env = sandbox.clean_environment(GIT_CONFIG_NOSYSTEM=1, HOME=tmp_path)
    git = lambda *words, **kw: subprocess.run(["git", "-c", "user.name=t", "-c", "user.email=t@t", *words], check=True, env=env, capture_output=True, **kw)
    git("init", "-q", work)
    (work / "file").write_text("content\n")
    git("add", ".", cwd=work)
    git("commit", "-qm", "one", cwd=work)
    git("clone", "-q", "--bare", work, bare)
    git("update-server-info", cwd=bare)
    port = network.unused_port(ALLOWED)
    with subprocess.Popen([PYTHON, "-I", "-m", "http.server", "--bind", ALLOWED, str(port), "-d", tmp_path / "www"], stderr=subprocess.DEVNULL) as web:
        try:
            assert sandbox.wait_for(lambda: reachable(ALLOWED, port))
            (tmp_path / "into").mkdir()
            done = run("-w", str(tmp_path / "into"), "--env", f"HOME={tmp_path}/into", "--net-allow", f"tcp://{ALLOWED}:{port}",
                       cmd=["git", "clone", "-q", f"http://{ALLOWED}:{port}/repo.git", str(tmp_path / "into/repo")])
            assert done.status == 0 and (tmp_path / "into/repo/file").read_text() == "content\n", done
            done = run("-w", str(tmp_path / "into"), "--env", f"HOME={tmp_path}/into", "--net-allow", f"tcp://{OTHER}:{port}",
                       cmd=["git", "clone", "-q", f"http://{ALLOWED}:{port}/repo.git", str(tmp_path / "into/again")])
            assert done.status == 128 and not (tmp_path / "into/again").exists(), done
        finally:
            web.kill()


@needs("redis-benchmark")
def test_redis_benchmark(tmp_path):
    port = network.unused_port(ALLOWED)
    with subprocess.Popen(["redis-server", "--bind", ALLOWED, "--port", str(port), "--save", "", "--dir", str(tmp_path)], stdout=subprocess.DEVNULL) as redis:
        try:
            assert sandbox.wait_for(lambda: reachable(ALLOWED, port))
            done = run("--net-allow", f"tcp://{ALLOWED}:{port}", cmd=["redis-benchmark", "-h", ALLOWED, "-p", str(port), "-t", "set,get", "-n", "5000", "-q"])
            assert done.status == 0 and "SET:" in done.out and "GET:" in done.out, done
            done = run("--net-allow", f"tcp://{OTHER}:{port}", cmd=["redis-benchmark", "-h", ALLOWED, "-p", str(port), "-t", "get", "-n", "10", "-q"])
            assert done.status != 0, done
        finally:
            redis.kill()


class DnsServer(Datagrams):
    def serve(self):
        while True:
            try:
                query, peer = self.socket.recvfrom(4096)
                if peer is None:  # shut down
                    return
                self.received.append(query)
                end = query.index(b"\0", 12) + 5
                answer = query[:2] + b"\x81\x80\0\1\0\1\0\0\0\0" + query[12:end] + b"\xc0\x0c\0\1\0\1\0\0\0\x3c\0\4\xc0\0\2\7"
                self.socket.sendto(answer, peer)
            except OSError:
                return


@needs("busybox")
def test_dns_lookup_against_a_local_server():
    with DnsServer(ALLOWED) as dns:
        done = run("--net-allow", f"udp://{ALLOWED}:{dns.port}", cmd=["busybox", "nslookup", "-type=a", "name.test", f"{ALLOWED}:{dns.port}"])
        assert "192.0.2.7" in done.out, done
        asked = len(dns.received)
        done = run("--net-allow", f"udp://{OTHER}:{dns.port}", cmd=["busybox", "nslookup", "-type=a", "name.test", f"{ALLOWED}:{dns.port}"])
        assert "192.0.2.7" not in done.out and len(dns.received) == asked, done


@needs("ping")
@needs_namespace
@network.in_namespace
def test_ping_sockets_follow_the_icmp_rules(tmp_path):
    pathlib.Path("/proc/sys/net/ipv4/ping_group_range").write_text("0 0")
    # Without its file capabilities: they cannot be executed where they are not in the bounding set.
    ping = shutil.copy(shutil.which("ping"), tmp_path / "ping")
    done = run("-r", str(tmp_path), "--net-allow", "icmp://10.66.0.1", cmd=[str(ping), "-I", "10.66.0.1", "-c1", "-W2", "10.66.0.1"])
    assert done.status == 0, done
    # Without -I it asks for its own address with a UDP socket.
    done = run("-r", str(tmp_path), "--net-allow", "icmp://10.66.0.1", "--net-allow", "udp://10.66.0.1", cmd=[str(ping), "-c1", "-W2", "10.66.0.1"])
    assert done.status == 0, done
    with network.Capture() as capture:
        done = run("-r", str(tmp_path), "--net-allow", "icmp://10.66.0.1", cmd=[str(ping), "-I", "10.66.0.1", "-c1", "-W1", "10.66.0.2"])
        assert done.status != 0, done
        done = run("-r", str(tmp_path), "--net-allow", "udp://10.66.0.2", cmd=[str(ping), "-c1", "-W1", "10.66.0.2"])
        assert done.status != 0, done
        assert not [d for d in capture.destinations() if d[0] == 1]


# ---------------------------------------------------------------- servers


@needs("nginx")
def test_nginx_behind_port_remap(tmp_path):
    port = network.unused_port()
    started = []
    try:
        for i in range(2):
            home = tmp_path / str(i)
            (home / "www").mkdir(parents=True)
            (home / "www/index.html").write_text(f"server {i}\n")
            (home / "nginx.conf").write_text(f"""
                daemon off; pid {home}/pid; error_log stderr; worker_processes 1;
                events {{ worker_connections 64; }}
                http {{ access_log off; client_body_temp_path {home}/a; proxy_temp_path {home}/b; fastcgi_temp_path {home}/c; uwsgi_temp_path {home}/d; scgi_temp_path {home}/e;
                        server {{ listen 127.0.0.1:{port}; root {home}/www; }} }}
                {'user root;' if sandbox.IS_ROOT else ''}""")
            script = f"nginx -p {home} -c {home}/nginx.conf & for i in $(seq 100); do curl -sf http://127.0.0.1:{port}/ && break; sleep 0.05; done; kill $!; wait"
            done = subprocess.Popen([sandbox.SANDLOCK, "run", *sandbox.SYSTEM, "-w", str(home), "--fs-read-if-exists", "/var", "--port-remap", "--net-allow-bind", str(port), "--",
                                     "/bin/sh", "-c", script], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=sandbox.clean_environment())
            started.append(done)
        for i, child in enumerate(started):
            out, err = child.communicate(timeout=60)
            assert out == f"server {i}\n", (out, err)
    finally:
        for child in started:
            child.kill()
            child.wait()


# ---------------------------------------------------------------- interfaces


@pytest.mark.parametrize("rules", [[], ["--net-allow", "127.0.0.2:1"]])
def test_interfaces_are_lo_alone(rules):
    done = python(*rules, code="import socket; print(socket.if_nameindex()); print(sorted({a[0].name for a in socket.getaddrinfo(None, 80, flags=socket.AI_PASSIVE | socket.AI_ADDRCONFIG)}))")
    assert done.status == 0 and done.out.splitlines() == ["[(1, 'lo')]", "['AF_INET', 'AF_INET6']"], done


@needs("ip")
def test_ip_addr():
    done = run(cmd=["ip", "addr"])
    assert done.status == 0 and "127.0.0.1/8" in done.out and "::1/128" in done.out and done.out.count("mtu") == 1, done
    done = run(cmd=["ip", "link", "set", "lo", "down"])
    assert done.status != 0, done


@needs("node")
def test_node_interfaces():
    done = run("--fs-read-if-exists", "/proc", cmd=["node", "-p", "Object.keys(require('os').networkInterfaces()).join()"])
    assert done.status == 0 and done.out.split() == ["lo"], done


@needs("musl-gcc")
def test_musl_interfaces(tmp_path):
    source = tmp_path / "interfaces.c"
    source.write_text('#include <ifaddrs.h>\n#include <stdio.h>\nint main(void){struct ifaddrs *list;if(getifaddrs(&list))return 1;for(;list;list=list->ifa_next)puts(list->ifa_name);}')
    subprocess.run(["musl-gcc", "-static", "-o", tmp_path / "interfaces", source], check=True)
    done = run("-r", str(tmp_path), cmd=[str(tmp_path / "interfaces")])
    assert done.status == 0 and set(done.out.split()) == {"lo"}, done


@needs("go")
def test_go_resolver_and_interfaces(tmp_path):
    (tmp_path / "main.go").write_text("""package main
import ("fmt"; "net"; "os"; "time")
func main() {
	list, err := net.Interfaces(); fmt.Println(len(list), err)
	addrs, err := net.LookupHost("localhost"); fmt.Println(len(addrs) > 0, err)
	c, err := net.DialTimeout("tcp", os.Args[1], 5*time.Second); if err == nil { fmt.Fprint(c, "go"); b := make([]byte, 2); c.Read(b); fmt.Println(string(b)) } else { fmt.Println(err) }
}
""")
    subprocess.run(["go", "build", "-o", tmp_path / "main", tmp_path / "main.go"], check=True, cwd=tmp_path,
                   env={**os.environ, "CGO_ENABLED": "0", "GOFLAGS": "-mod=mod", "GOCACHE": str(tmp_path / "cache"), "GO111MODULE": "off"})
    with Server(ALLOWED) as server:
        done = run("-r", str(tmp_path), *rule(server), cmd=[str(tmp_path / "main"), f"{ALLOWED}:{server.port}"])
        assert done.out.split() == ["1", "<nil>", "true", "<nil>", "go"], done

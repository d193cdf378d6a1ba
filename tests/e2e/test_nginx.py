"""A real server behind gatherd: nginx, once."""
import os
import shutil
import subprocess

from harness import ports, wait, wire

CONF = """
%(user)s daemon off; worker_processes 1; pid %(dir)s/nginx.pid; error_log %(dir)s/error.log;
events { worker_connections 64; }
http {
    access_log off; default_type application/json; keepalive_requests 1000000;
    client_body_temp_path %(dir)s/t1; proxy_temp_path %(dir)s/t2; fastcgi_temp_path %(dir)s/t3;
    uwsgi_temp_path %(dir)s/t4; scgi_temp_path %(dir)s/t5;
    server {
        listen 127.0.0.1:%(port)d;
        location /users/ { return 200 '{"uri":"$request_uri","host":"$http_host"}'; }
        location /files/ { alias %(dir)s/files/; }
    }
}
"""


def test_gathers_and_proxies_from_nginx(gatherd, tmp_path):
    nginx = shutil.which("nginx") or "/usr/sbin/nginx"
    port = ports.Port()
    (tmp_path / "files").mkdir()
    payload = bytes(range(256)) * 4096
    (tmp_path / "files" / "blob").write_bytes(payload)
    conf = tmp_path / "nginx.conf"
    user = "user root;" if os.getuid() == 0 else ""  # its workers read what this test wrote
    conf.write_text(CONF % {"dir": tmp_path, "port": port.number, "user": user})
    server = subprocess.Popen([nginx, "-p", str(tmp_path), "-c", str(conf)], stderr=subprocess.DEVNULL)
    try:
        wait.until(lambda: _answers(port.number), "nginx to serve")
        calls = {"user": {"upstream": "up", "path": "/users/{id}"}, "again": {"upstream": "up", "path": "/users/b"}}
        d = gatherd([{"path": "/u/{id}", "calls": calls}, {"path": "/files/{rest...}", "methods": "any", "proxy": {"upstream": "up"}}],
                    {"up": {"servers": ["http://127.0.0.1:%d" % port.number]}})
        host = "127.0.0.1:%d" % port.number
        with d.client() as client:
            for _ in range(50):
                assert client.request("/u/7").json() == {"user": {"uri": "/users/7", "host": host}, "again": {"uri": "/users/b", "host": host}}
            response = client.request("/files/blob")
            assert response.body == payload and response.header("Server").startswith("nginx")
            part = client.request("/files/blob", fields=[("Range", "bytes=10-19")])
            assert (part.status, part.body) == (206, payload[10:20])
            assert client.request("/files/none").status == 404
            assert client.request("/files/blob", "HEAD").header("Content-Length") == str(len(payload))
            same = client.request("/files/blob", fields=[("If-None-Match", response.header("ETag"))])
            assert same.status == 304
    finally:
        server.terminate()
        server.wait()
        port.release()


def _answers(port):
    try:
        with wire.Client(port) as client:
            return client.request("/users/x").status == 200
    except OSError:
        return False

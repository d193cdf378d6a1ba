"""A real server behind gatherd: nginx, once."""
from harness import nginx

CONF = """
    default_type application/json; keepalive_requests 1000000;
    server {
        listen 127.0.0.1:%(port)d;
        location /users/ { return 200 '{"uri":"$request_uri","host":"$http_host"}'; }
        location /files/ { alias %(dir)s/files/; }
    }
"""


def test_gathers_and_proxies_from_nginx(gatherd, tmp_path):
    (tmp_path / "files").mkdir()
    payload = bytes(range(256)) * 4096
    (tmp_path / "files" / "blob").write_bytes(payload)
    with nginx.running(tmp_path, CONF) as port:
        calls = {"user": {"upstream": "up", "path": "/users/{id}"}, "again": {"upstream": "up", "path": "/users/b"}}
        d = gatherd([{"path": "/u/{id}", "calls": calls}, {"path": "/files/{rest...}", "methods": "any", "proxy": {"upstream": "up"}}],
                    {"up": {"servers": ["http://127.0.0.1:%d" % port]}})
        host = "127.0.0.1:%d" % port
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

"""nginx in the foreground: a server, or a proxy between, that others wrote."""
import contextlib
import os
import shutil
import socket
import subprocess

from . import ports, wait

CONF = """
%(user)s daemon off; worker_processes 1; pid %(dir)s/nginx.pid; error_log %(dir)s/error.log;
events { worker_connections 256; }
http {
    access_log off;
    client_body_temp_path %(dir)s/t1; proxy_temp_path %(dir)s/t2; fastcgi_temp_path %(dir)s/t3;
    uwsgi_temp_path %(dir)s/t4; scgi_temp_path %(dir)s/t5;
    %(http)s
}
"""


def listens(port):
    try:
        socket.create_connection(("127.0.0.1", port), wait.PATIENCE).close()
        return True
    except OSError:
        return False


@contextlib.contextmanager
def running(folder, http, **values):
    """nginx with this http block, in which %(port)d, %(dir)s (the folder) and the values stand. Yields its port."""
    port, conf = ports.Port(), os.path.join(str(folder), "nginx.conf")
    user = "user root;" if os.getuid() == 0 else ""  # its workers read what the test wrote
    with open(conf, "w") as f:
        f.write(CONF % {"dir": folder, "user": user, "http": http % {"dir": folder, "port": port.number, **values}})
    server = subprocess.Popen([shutil.which("nginx") or "/usr/sbin/nginx", "-p", str(folder), "-c", conf],
                              stderr=subprocess.DEVNULL)
    try:
        wait.until(lambda: listens(port.number), "nginx to listen")
        yield port.number
    finally:
        server.terminate()
        server.wait()
        port.release()

"""How shapes.py starts each server: its configuration, made for one shape."""
import os
import shutil
import subprocess

MODULES = "/usr/lib/nginx/modules"


def gatherd(shape, port, upstreams, tls=None):
    """The configuration of gatherd, as JSON would have it (YAML takes that)."""
    conf = {
        "version": 1, "workers": shape.workers,
        "listeners": {"bench": {"address": "127.0.0.1:%d" % port, "timeouts": {"idle": "10m"},
                                "limits": {"connections": 32768, "header_bytes": "16KiB"}}},
        "observe": {"access_log": {"path": "none"}},
        "defaults": {"upstream": {"pool": {"max_connections": 4096, "max_idle": 1024, "max_requests": 0}}},
        "upstreams": {"u%d" % i: {"servers": ["http://127.0.0.1:%d" % p]} for i, p in enumerate(upstreams)},
        "routes": [{"path": "/healthz", "reply": {"body": "ok"}}],
    }
    call = {"method": "POST", "body": "{body}"} if shape.post else {}
    route = {"path": "/x", "methods": ["POST"] if shape.post else ["GET"]}
    if shape.form == "proxy":
        route["proxy"] = {"upstream": "u0"}
    elif shape.form == "list":
        conf["upstreams"]["all"] = {"servers": ["http://127.0.0.1:%d" % p for p in upstreams]}
        route["calls"] = {"all": {"upstream": "all", "path": "/c/{item}", "for_each": "{query.id[]}",
                                  "max_items": 1000, "parallel": 1000}}
    else:
        route["calls"] = {"c%d" % i: dict(call, upstream="u%d" % (i % len(upstreams)), path="/c")
                          for i in range(shape.calls)}
    conf["routes"].append(route)
    if shape.limit:
        for upstream in conf["upstreams"].values():
            upstream["concurrency"] = {"limit": shape.limit}
            upstream["queue"] = {"size": 1000, "timeout": "1s"}
    return conf


LUA = """
    local reqs = {}
    ngx.req.read_body()
    for i = 0, %(calls)d - 1 do reqs[i + 1] = {"/u" .. i %% %(ports)d%(options)s} end
    local rs = {ngx.location.capture_multi(reqs)}
    local out = {}
    for i = 0, %(calls)d - 1 do
        if rs[i + 1].status ~= 200 then return ngx.exit(502) end
        %(take)s
    end
    %(finish)s
    ngx.header.content_type = 'application/json'
    ngx.header.content_length = #body
    ngx.print(body)
"""


def lua(shape, n_ports, decodes):
    """decodes: reads every part and writes it again, as gatherd checks each; else parts are pasted as they came."""
    what = {"calls": shape.calls, "ports": n_ports, "options": ", {method = ngx.HTTP_POST}" if shape.post else ""}
    if decodes:
        key = "i + 1" if shape.form == "list" else "'c' .. i"
        what["take"] = ("local j = require 'cjson.safe'.decode(rs[i + 1].body) "
                        "if not j then return ngx.exit(502) end out[%s] = j" % key)
        what["finish"] = "local body = require 'cjson.safe'.encode(%s)" % ("{all = out}" if shape.form == "list"
                                                                          else "out")
    elif shape.form == "list":
        what["take"] = "out[#out + 1] = (i == 0 and '{\"all\":[' or ',') out[#out + 1] = rs[i + 1].body"
        what["finish"] = "out[#out + 1] = ']}' local body = table.concat(out)"
    else:
        what["take"] = "out[#out + 1] = (i == 0 and '{\"c' or ',\"c') .. i .. '\":' out[#out + 1] = rs[i + 1].body"
        what["finish"] = "out[#out + 1] = '}' local body = table.concat(out)"
    return LUA % what


def nginx(shape, port, upstreams, folder, decodes):
    is_kept = shape.framing != "close"
    lines = ["load_module %s/ndk_http_module.so;" % MODULES, "load_module %s/ngx_http_lua_module.so;" % MODULES,
             "daemon off; worker_processes 1; worker_rlimit_nofile 65536;", "error_log %s/error.log crit;" % folder,
             "pid %s/nginx.pid;" % folder, "events { worker_connections 32768; }", "http {",
             "access_log off; keepalive_requests 100000000; keepalive_timeout 600s; tcp_nodelay on; server_tokens off;",
             "default_type application/json; client_body_buffer_size 128k; client_max_body_size 1m;",
             "client_body_temp_path %s/t1; proxy_temp_path %s/t2; fastcgi_temp_path %s/t3; uwsgi_temp_path %s/t4;"
             " scgi_temp_path %s/t5;" % ((folder,) * 5),
             "large_client_header_buffers 4 16k; proxy_buffer_size 8k; proxy_buffers 16 32k;"
             " proxy_busy_buffers_size 64k; subrequest_output_buffer_size 512k;",
             "proxy_http_version 1.1; proxy_set_header Connection \"\";" if is_kept else "",
             "lua_package_path '/usr/share/lua/5.1/?.lua;;';",
             "lua_package_cpath '/usr/lib/x86_64-linux-gnu/lua/5.1/?.so;;';"]
    for i, upstream in enumerate(upstreams):
        keep = "keepalive 1024; keepalive_requests 100000000; keepalive_timeout 600s;" if is_kept else ""
        lines.append("upstream u%d { server 127.0.0.1:%d max_fails=0; %s }" % (i, upstream, keep))
    lines += ["server { listen 127.0.0.1:%d backlog=4096;" % port, "location = /healthz { return 200 'ok'; }"]
    lines += ["location = /u%d { internal; proxy_pass http://u%d/c; }" % (i, i) for i in range(len(upstreams))]
    if shape.form == "proxy":
        lines.append("location = /x { proxy_pass http://u0; }")
    else:
        lines.append("location = /x { content_by_lua_block {%s} }" % lua(shape, len(upstreams), decodes))
    return "\n".join(lines + ["} }"]) + "\n"


def nginx_is_there():
    return shutil.which("nginx") is not None and os.path.exists(MODULES + "/ngx_http_lua_module.so")


def version(command):
    done = subprocess.run(command, capture_output=True, text=True)
    return (done.stdout + done.stderr).strip().split("\n")[0]

# nginx behind the connector: large files down and up, and many short connections. Sourced by .ci/workload.
# shellcheck shell=bash
# $work and $bin are .ci/workload's.
# shellcheck disable=SC2154

readonly WEB_PORT=8081
readonly WEB=http://127.0.0.1:$WEB_PORT
readonly FILE_BYTES=$((1024 * 1024 * 1024))
readonly PAGE_BYTES=4096
readonly SHORT_CONNECTIONS=2000
# How long one transfer may take, in seconds.
readonly TRANSFER_SECONDS=120

web_checks() {
    check "nginx starts, port $WEB_PORT opens" start_nginx
    check "nginx: 1 GiB down, SHA-256" download_one
    check "nginx: 1 GiB down, 8 at once, SHA-256" download_eight
    check "nginx: 128 MiB up, 8 at once, SHA-256" upload_eight
    check "nginx: $SHORT_CONNECTIONS short connections, 64 at once" connect_often
    rm -rf web/files/large web/slices web/uploads
}

start_nginx() {
    mkdir -p web/files web/uploads web/slices web/temporary
    head -c "$FILE_BYTES" /dev/urandom >web/files/large
    head -c "$PAGE_BYTES" /dev/urandom >web/files/page
    sha256 web/files/large >web/large.sha256
    split --number=8 --numeric-suffixes=1 --suffix-length=1 web/files/large web/slices/
    nginx_settings >web/nginx.conf
    # It returns when its port is open.
    at_connector 30 nginx -p "$work/web" -e "$work/web/error.log" -c "$work/web/nginx.conf"
    open_port "$WEB_PORT"
}

nginx_settings() {
    cat <<END
user root;
worker_processes 2;
pid $work/web/pid;
events { worker_connections 1024; }
http {
    access_log $work/web/access.log;
    client_body_temp_path $work/web/temporary/body;
    proxy_temp_path $work/web/temporary/proxy;
    fastcgi_temp_path $work/web/temporary/fastcgi;
    uwsgi_temp_path $work/web/temporary/uwsgi;
    scgi_temp_path $work/web/temporary/scgi;
    client_max_body_size 0;
    sendfile on;
    server {
        listen 127.0.0.1:$WEB_PORT;
        location / { root $work/web/files; }
        location /uploads/ { root $work/web; dav_methods PUT; }
    }
}
END
}

download() {
    local sum
    sum=$(at_listener "$TRANSFER_SECONDS" curl -sS --fail "$WEB/large" | sha256)
    [ "$sum" = "$(<web/large.sha256)" ] || { echo "download $1: SHA-256 is $sum" && return 1; }
}

download_one() {
    local start
    start=$(microseconds)
    download 1
    result "$(rate "$FILE_BYTES" "$start")"
}

download_eight() {
    local start
    start=$(microseconds)
    parallel 8 download
    result "$(rate $((8 * FILE_BYTES)) "$start") in all"
}

upload() {
    at_listener "$TRANSFER_SECONDS" curl -sS --fail -T "web/slices/$1" "$WEB/uploads/$1"
}

upload_eight() {
    local start number
    start=$(microseconds)
    parallel 8 upload
    result "$(rate "$FILE_BYTES" "$start") in all"
    for number in {1..8}; do
        [ "$(sha256 "web/uploads/$number")" = "$(sha256 "web/slices/$number")" ] ||
            { echo "upload $number differs from what was sent" && return 1; }
    done
}

# Each with a connection of its own. curl tells of each what came of it; the server and the listener have counted, too.
connect_often() {
    local start micros wanted="200 $PAGE_BYTES 1"
    local before served
    before=$(connections_total)
    start=$(microseconds)
    at_listener "$TRANSFER_SECONDS" curl -sS --parallel --parallel-immediate --parallel-max 64 -H 'Connection: close' \
        -o /dev/null -w '%{http_code} %{size_download} %{num_connects}\n' "$WEB/page?[1-$SHORT_CONNECTIONS]" >web/short.log
    micros=$(($(microseconds) - start))
    sort web/short.log | uniq -c
    [ "$(grep -cxF "$wanted" web/short.log)" = "$SHORT_CONNECTIONS" ]
    served=$(grep -c 'GET /page?[0-9]* HTTP/1.1" 200 ' web/access.log)
    echo "nginx has answered $served requests; the listener has counted $(($(connections_total) - before)) connections"
    [ "$served" = "$SHORT_CONNECTIONS" ] && [ "$(($(connections_total) - before))" = "$SHORT_CONNECTIONS" ]
    result "$((SHORT_CONNECTIONS * 1000000 / micros)) connections/s"
}

# How many clients the listener has counted on nginx's port.
connections_total() { api "$API/list" | sed -n "s/.*\"port\":$WEB_PORT,[^}]*\"connections_total\":\([0-9]*\).*/\1/p"; }

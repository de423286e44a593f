//! A web server with one page: something to reach through a tunnel, for `example/quickstart.sh`.
//!
//! It needs nothing but the standard library, so `rustc` alone builds it. Not for anything but trying things out: it reads
//! a request only to its empty line, and answers every one with the same page.

use std::{
    env,
    io::{self, BufRead, BufReader, Read, Write},
    net::{TcpListener, TcpStream},
    thread,
    time::Duration,
};

const PAGE: &str = r#"<!doctype html>
<html lang="en">
<head>
  <meta charset="utf-8">
  <title>socket-warp</title>
  <style>
    body { margin: 0; min-height: 100vh; display: grid; place-content: center; text-align: center;
           font: 1.2rem/1.6 system-ui, sans-serif; color: #e8eef7; background: #10233f; }
    h1 { font-size: 2.6rem; margin: 0; color: #7fd1ff; }
  </style>
</head>
<body>
  <h1>It works.</h1>
  <p>This page came through the tunnel:<br>browser → sw_listener ═ QUIC, mTLS ═ sw_connector → here</p>
</body>
</html>
"#;

/// A request longer than this is cut off, in bytes; browsers stay below 8 KiB.
const REQUEST_LIMIT: u64 = 64 * 1024;
const REQUEST_TIME: Duration = Duration::from_secs(10);

fn main() -> io::Result<()> {
    let address = env::args().nth(1).unwrap_or_else(|| "127.0.0.1:0".into());
    let listener = TcpListener::bind(&address)
        .map_err(|error| io::Error::new(error.kind(), format!("cannot bind {address}: {error}")))?;
    println!("serving http://{}/", listener.local_addr()?);
    loop {
        let (client, from) = listener.accept()?;
        thread::spawn(move || match answer(client) {
            Ok(request) => println!("{from} {request}"),
            Err(error) => eprintln!("{from} {error}"),
        });
    }
}

/// Answers one request, and returns its first line, escaped.
fn answer(mut client: TcpStream) -> io::Result<String> {
    client.set_read_timeout(Some(REQUEST_TIME))?;
    client.set_write_timeout(Some(REQUEST_TIME))?;
    let mut lines = BufReader::new(client.try_clone()?.take(REQUEST_LIMIT)).lines();
    let request = lines.next().transpose()?.unwrap_or_default();
    for line in lines {
        if line?.is_empty() {
            break;
        }
    }
    write!(
        client,
        "HTTP/1.1 200 OK\r\nContent-Type: text/html; charset=utf-8\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{PAGE}",
        PAGE.len()
    )?;
    Ok(request.escape_debug().to_string())
}

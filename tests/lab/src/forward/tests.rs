use std::net::Ipv4Addr;

use super::*;

fn loopback() -> SocketAddr {
    (Ipv4Addr::LOCALHOST, 0).into()
}

/// Sends back what it reads, and the end after the end.
fn echo() -> SocketAddr {
    let listener = TcpListener::bind(loopback()).unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            std::thread::spawn(move || {
                let mut bytes = Vec::new();
                stream.read_to_end(&mut bytes).unwrap();
                stream.write_all(&bytes).unwrap();
            });
        }
    });
    address
}

#[test]
fn bytes_and_the_end_pass_both_ways() {
    let forward = Forward::start(loopback(), echo()).unwrap();
    let sent: Vec<u8> = (0..200_000u32).map(|i| i as u8).collect();
    let mut stream = TcpStream::connect(forward.local).unwrap();
    stream.write_all(&sent).unwrap();
    stream.shutdown(Shutdown::Write).unwrap();
    let mut got = Vec::new();
    stream.read_to_end(&mut got).unwrap();
    assert_eq!(got, sent);
}

#[test]
fn its_end_cuts_connections_and_frees_the_port() {
    let forward = Forward::start(loopback(), echo()).unwrap();
    let local = forward.local;
    let mut stream = TcpStream::connect(local).unwrap();
    stream.write_all(b"x").unwrap();
    drop(forward);
    let mut got = Vec::new();
    // Cut: an end or a reset, but not the echo.
    let _reset = stream.read_to_end(&mut got);
    assert!(got.is_empty());
    assert!(TcpStream::connect(local).is_err());
}

#[test]
fn connections_beyond_the_bound_are_closed() {
    let forward = Forward::start(loopback(), echo()).unwrap();
    let mut streams: Vec<_> = (0..=MAX_CONNECTIONS)
        .map(|_| TcpStream::connect(forward.local).unwrap())
        .collect();
    let mut last = streams.pop().unwrap();
    let mut got = Vec::new();
    let _reset = last.read_to_end(&mut got);
    assert!(got.is_empty());
}

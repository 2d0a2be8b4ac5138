use netlink_sys::protocols::NETLINK_USERSOCK;
use netlink_sys::{Socket, SocketAddr};

use super::*;

const GROUP: u32 = 7;

/// The protocol for user space, so that the test decides what is announced.
fn listener() -> (Listener, Announcer) {
    let listener = Listener::open(NETLINK_USERSOCK).unwrap();
    let mut address = SocketAddr::new(0, 0);
    listener.socket.socket_ref().get_address(&mut address).unwrap();
    let socket = Socket::new(NETLINK_USERSOCK).unwrap();
    (listener, Announcer { socket, address })
}

struct Announcer {
    socket: Socket,
    address: SocketAddr,
}

impl Announcer {
    fn announce(&self, bytes: &[u8]) {
        let sent = self.socket.send_to(bytes, &self.address, 0);
        // To a group it goes first, and then to a kernel that does not listen to this protocol.
        let refused = |error: &io::Error| error.kind() == io::ErrorKind::ConnectionRefused;
        assert!(sent.as_ref().err().is_none_or(refused), "{sent:?}");
    }
}

#[tokio::test]
async fn what_is_announced_is_heard_once() {
    let (mut listener, announcer) = listener();
    announcer.announce(b"one");
    announcer.announce(b"two");
    assert_eq!(listener.next().await.unwrap(), Heard::Messages(b"one"));
    assert_eq!(listener.now().unwrap(), Some(Heard::Messages(b"two")));
    assert_eq!(listener.now().unwrap(), None);
}

#[tokio::test]
async fn what_does_not_fit_is_lost_and_said_so() {
    let (mut listener, announcer) = listener();
    announcer.announce(&vec![0; ROOM + 1]);
    announcer.announce(b"after");
    assert_eq!(listener.next().await.unwrap(), Heard::Lost);
    assert_eq!(listener.next().await.unwrap(), Heard::Messages(b"after"));
}

/// Only root may join groups of this protocol; others see nothing here.
#[tokio::test]
async fn an_overflow_is_said_once_and_listening_goes_on() {
    let (mut listener, mut announcer) = listener();
    if !nix::unistd::geteuid().is_root() {
        return;
    }
    listener.join(GROUP).unwrap();
    announcer.address = SocketAddr::new(0, 1 << (GROUP - 1));
    listener.socket.socket_ref().set_rx_buf_sz(2048_i32).unwrap();
    for _ in 0..64 {
        announcer.announce(&[0; 512]);
    }
    let mut lost = 0;
    while let Some(heard) = listener.now().unwrap() {
        lost += u32::from(heard == Heard::Lost);
    }
    assert_eq!(lost, 1);
    announcer.announce(b"after");
    assert_eq!(listener.next().await.unwrap(), Heard::Messages(b"after"));
}

/// Waiting is given up a few times; what comes meanwhile is still there.
#[tokio::test]
async fn giving_up_waiting_loses_nothing() {
    let (mut listener, announcer) = listener();
    for _ in 0..3 {
        tokio::select! {
            biased;
            heard = listener.next() => panic!("{heard:?}"),
            () = tokio::task::yield_now() => {}
        }
    }
    announcer.announce(b"still there");
    assert_eq!(listener.next().await.unwrap(), Heard::Messages(b"still there"));
}

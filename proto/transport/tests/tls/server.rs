//! Who gets in at the listener, who does not, and under which label: real TLS over loopback.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use crate::support::{Listener, World, soon};
use mesh_proto::model::NodeId;
use mesh_transport::{HandshakeLimits, HandshakeResult, Remote, Role};
use rustls::ClientConfig;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

const COLLECTOR: &str = "collector,dns=localhost";

async fn listener(world: &World, limits: HandshakeLimits) -> Listener {
    let identity = world.identity("collector");
    soon("the collector's SVID", identity.usable()).await;
    Listener::new(identity, limits).await
}

/// Connects as a client that goes on until the server says something: in TLS 1.3 that is when it hears a refusal.
async fn heard_by_client(address: &str, config: Arc<ClientConfig>) -> io::Error {
    let tcp = TcpStream::connect(address).await.unwrap();
    let connect = TlsConnector::from(config).connect("localhost".try_into().unwrap(), tcp);
    let mut tls = match soon("the client's half", connect).await {
        Ok(tls) => tls,
        Err(error) => return error,
    };
    // As HTTP/2 does: there is something on the way when the refusal comes.
    tls.write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n").await.ok();
    match soon("the server's answer", tls.read(&mut [0; 1])).await {
        Err(error) => error,
        Ok(n) => panic!("the server said {n} bytes instead of refusing"),
    }
}

async fn refused_as(identity: Option<&str>) -> (&'static str, HandshakeResult) {
    let identities: Vec<&str> = [COLLECTOR].into_iter().chain(identity).collect();
    let world = World::new(&identities);
    let mut listener = listener(&world, HandshakeLimits::default()).await;
    let name = identity.map(|spec| spec.split(',').next().unwrap());
    let heard = heard_by_client(&listener.address, world.plain_client(name)).await;
    (listener.result().await, HandshakeResult::of_error(&heard))
}

#[tokio::test]
async fn an_agent_comes_in_as_its_node() {
    let world = World::new(&[COLLECTOR, "node/gate"]);
    let mut listener = listener(&world, HandshakeLimits::default()).await;
    let tcp = TcpStream::connect(&listener.address).await.unwrap();
    let from = tcp.local_addr().unwrap();
    let config = world.plain_client(Some("node/gate"));
    let _tls = TlsConnector::from(config)
        .connect("localhost".try_into().unwrap(), tcp)
        .await
        .unwrap();
    let peer = soon("a connection", listener.peers.recv()).await.unwrap();
    assert_eq!(peer.role, Role::Node(NodeId::try_from("gate").unwrap()));
    assert_eq!(peer.remote, Remote::Tcp(from));
    let certificate = peer.certificate.unwrap();
    assert_eq!(certificate.id.to_string(), "spiffe://mesh.test/node/gate");
    assert!(certificate.expiry_seconds > 1_700_000_000);
    let outcome = soon("the outcome", listener.outcomes.recv()).await.unwrap();
    assert_eq!(outcome.result, HandshakeResult::Ok);
    assert_eq!(outcome.id, Some(certificate.id));
    assert!(outcome.duration > Duration::ZERO);
}

#[tokio::test]
async fn an_expired_svid_is_refused_and_its_holder_hears_it() {
    assert_eq!(
        refused_as(Some("node/gate,expired")).await,
        ("expired", HandshakeResult::Rejected)
    );
}

#[tokio::test]
async fn no_certificate_is_refused() {
    assert_eq!(refused_as(None).await, ("no_certificate", HandshakeResult::Rejected));
}

#[tokio::test]
async fn an_id_outside_the_schema_is_refused() {
    assert_eq!(
        refused_as(Some("ghost/x")).await,
        ("wrong_id", HandshakeResult::Rejected)
    );
}

#[tokio::test]
async fn another_trust_domain_is_refused() {
    assert_eq!(
        refused_as(Some("node/gate,td=other.test")).await,
        ("wrong_trust_domain", HandshakeResult::Rejected)
    );
}

#[tokio::test]
async fn a_certificate_of_an_unknown_authority_is_refused() {
    assert_eq!(
        refused_as(Some("node/gate,rogue")).await,
        ("untrusted", HandshakeResult::Rejected)
    );
}

#[tokio::test]
async fn plain_text_is_refused() {
    let world = World::new(&[COLLECTOR]);
    let mut listener = listener(&world, HandshakeLimits::default()).await;
    let mut tcp = TcpStream::connect(&listener.address).await.unwrap();
    tcp.write_all(b"GET / HTTP/1.1\r\n\r\n").await.unwrap();
    assert_eq!(listener.result().await, "protocol");
}

#[tokio::test]
async fn a_peer_that_leaves_in_the_middle_is_no_denial() {
    let world = World::new(&[COLLECTOR]);
    let mut listener = listener(&world, HandshakeLimits::default()).await;
    drop(TcpStream::connect(&listener.address).await.unwrap());
    assert_eq!(listener.result().await, "closed");
}

#[tokio::test]
async fn a_silent_peer_is_dropped_at_the_deadline() {
    let world = World::new(&[COLLECTOR]);
    let limits = HandshakeLimits {
        deadline: Duration::from_millis(50),
        ..HandshakeLimits::default()
    };
    let mut listener = listener(&world, limits).await;
    let mut tcp = TcpStream::connect(&listener.address).await.unwrap();
    assert_eq!(listener.result().await, "timeout");
    assert_eq!(soon("the close", tcp.read(&mut [0; 1])).await.unwrap(), 0);
}

#[tokio::test]
async fn one_source_cannot_take_more_than_its_places_and_gets_them_back() {
    let world = World::new(&[COLLECTOR, "node/gate"]);
    let limits = HandshakeLimits {
        concurrent_per_source: 2,
        ..HandshakeLimits::default()
    };
    let mut listener = listener(&world, limits).await;
    let held = [
        TcpStream::connect(&listener.address).await.unwrap(),
        TcpStream::connect(&listener.address).await.unwrap(),
    ];
    let _third = TcpStream::connect(&listener.address).await.unwrap();
    assert_eq!(listener.result().await, "source_limit");
    drop(held);
    assert_eq!(listener.result().await, "closed");
    assert_eq!(listener.result().await, "closed");
    let tcp = TcpStream::connect(&listener.address).await.unwrap();
    let config = world.plain_client(Some("node/gate"));
    let _tls = TlsConnector::from(config)
        .connect("localhost".try_into().unwrap(), tcp)
        .await
        .unwrap();
    assert_eq!(listener.result().await, "ok");
}

#[tokio::test]
async fn a_collector_without_an_identity_closes_at_once_and_serves_when_it_has_one() {
    let folder = tempfile::tempdir().unwrap();
    let mut settings = crate::support::settings(folder.path(), &[COLLECTOR]);
    settings.bundle = None;
    let endpoint = format!("unix:{}", folder.path().join("collector.sock").display());
    let identity = crate::support::start(&endpoint);
    let mut listener = Listener::new(identity.clone(), HandshakeLimits::default()).await;
    let mut tcp = TcpStream::connect(&listener.address).await.unwrap();
    assert_eq!(listener.result().await, "unavailable");
    assert_eq!(soon("the close", tcp.read(&mut [0; 1])).await.unwrap(), 0);

    let _ca = mesh_devca::DevCa::start(&settings).unwrap();
    soon("the SVID", identity.usable()).await;
    drop(TcpStream::connect(&listener.address).await.unwrap());
    assert_eq!(listener.result().await, "closed");
}

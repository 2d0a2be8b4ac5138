//! Whom the dialer takes for the collector, and the life of an identity: real TLS over loopback.

use std::sync::Arc;
use std::time::Duration;

use crate::support::{Listener, World, soon};
use mesh_transport::{DialError, Dialer, HandshakeLimits, HandshakeResult, IdentitySource, NoIdentity};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

fn dialer(identity: &IdentitySource) -> Dialer {
    Dialer::spiffe(identity.clone(), "spiffe://mesh.test/collector".parse().unwrap())
}

async fn agent(world: &World) -> IdentitySource {
    let identity = world.identity("node/gate");
    soon("the agent's SVID", identity.usable()).await;
    identity
}

/// What the dialer says of a server that shows the certificate of `spec`.
async fn verdict_on(spec: &str) -> HandshakeResult {
    let world = World::new(&["node/gate", spec]);
    let name = spec.split(',').next().unwrap();
    let acceptor = TlsAcceptor::from(world.plain_server(name));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    tokio::spawn(async move {
        let (tcp, _) = listener.accept().await.unwrap();
        let mut tls = acceptor.accept(tcp).await?;
        tls.read_u8().await
    });
    let identity = agent(&world).await;
    match soon("the dialer's verdict", dialer(&identity).connect(&address)).await {
        Err(DialError::Handshake { result, .. }) => result,
        other => panic!("no handshake error: {other:?}"),
    }
}

#[tokio::test]
async fn the_collector_is_known_by_its_id() {
    let world = World::new(&["node/gate", "collector"]);
    let collector = world.identity("collector");
    soon("the collector's SVID", collector.usable()).await;
    let mut listener = Listener::new(collector, HandshakeLimits::default()).await;
    let identity = agent(&world).await;
    let _channel = dialer(&identity).connect(&listener.address).await.unwrap();
    assert_eq!(listener.result().await, "ok");
}

#[tokio::test]
async fn another_node_is_not_taken_for_the_collector() {
    assert_eq!(verdict_on("node/liar").await, HandshakeResult::WrongId);
}

#[tokio::test]
async fn a_collector_whose_svid_has_expired_is_refused() {
    assert_eq!(verdict_on("collector,expired").await, HandshakeResult::Expired);
}

#[tokio::test]
async fn a_collector_of_an_unknown_authority_is_refused() {
    assert_eq!(verdict_on("collector,rogue").await, HandshakeResult::Untrusted);
}

#[tokio::test]
async fn a_collector_of_another_trust_domain_is_refused() {
    assert_eq!(
        verdict_on("collector,td=other.test").await,
        HandshakeResult::WrongTrustDomain
    );
}

#[tokio::test]
async fn a_server_without_tls_is_refused() {
    let world = World::new(&["node/gate"]);
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    tokio::spawn(async move {
        let (mut tcp, _) = listener.accept().await?;
        tcp.write_all(b"220 mail.mesh.test ESMTP\r\n").await?;
        tcp.read_u8().await
    });
    let identity = agent(&world).await;
    let error = dialer(&identity).connect(&address).await.unwrap_err();
    assert!(
        matches!(
            error,
            DialError::Handshake {
                result: HandshakeResult::Protocol,
                ..
            }
        ),
        "{error:?}"
    );
}

#[tokio::test]
async fn nobody_at_the_address_is_said_so() {
    let world = World::new(&["node/gate"]);
    let identity = agent(&world).await;
    let free = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = free.local_addr().unwrap().to_string();
    drop(free);
    let error = dialer(&identity).connect(&address).await.unwrap_err();
    assert!(matches!(error, DialError::Tcp { .. }), "{error:?}");
}

#[tokio::test]
async fn without_a_workload_api_the_dialer_says_so_at_once() {
    let identity = crate::support::start("unix:/nonexistent/workload.sock");
    let error = dialer(&identity).connect("127.0.0.1:1").await.unwrap_err();
    assert!(matches!(error, DialError::NoIdentity(NoIdentity::Waiting)), "{error:?}");
    assert_eq!(identity.status().svid, None);
    assert!(!identity.status().usable);
}

#[tokio::test]
async fn a_process_the_workload_api_knows_nothing_of_waits() {
    let world = World::new(&["node/gate,denied"]);
    let identity = world.identity("node/gate");
    let error = dialer(&identity).connect("127.0.0.1:1").await.unwrap_err();
    assert!(matches!(error, DialError::NoIdentity(NoIdentity::Waiting)), "{error:?}");
}

#[tokio::test]
async fn renewals_are_counted_and_move_the_expiry() {
    let world = World::new(&["node/gate,ttl=4s"]);
    let identity = agent(&world).await;
    let first = identity.status().svid.unwrap();
    assert_eq!(first.id.to_string(), "spiffe://mesh.test/node/gate");
    let mut watch = identity.watch();
    let renewed = soon("a renewal", watch.wait_for(|status| status.renewals > 0))
        .await
        .unwrap()
        .clone();
    assert!(renewed.usable);
    assert!(renewed.svid.unwrap().expiry_seconds > first.expiry_seconds);
}

#[tokio::test]
async fn the_last_svid_serves_while_the_workload_api_is_away_and_new_connections_still_stand() {
    let mut world = World::new(&["node/gate", "collector"]);
    let collector = world.identity("collector");
    soon("the collector's SVID", collector.usable()).await;
    let mut listener = Listener::new(collector, HandshakeLimits::default()).await;
    let identity = agent(&world).await;
    // In its place: an API that knows nobody's name, so that the old one is gone for certain.
    let empty = tempfile::tempdir().unwrap();
    world.ca = mesh_devca::DevCa::start(&crate::support::settings(empty.path(), &["x"])).unwrap();
    let _channel = dialer(&identity).connect(&listener.address).await.unwrap();
    assert_eq!(listener.result().await, "ok");
    assert!(identity.status().usable);
}

#[tokio::test]
async fn an_svid_nobody_renews_stops_being_usable() {
    let folder = tempfile::tempdir().unwrap();
    let mut settings = crate::support::settings(folder.path(), &["node/gate"]);
    settings.ttl = Duration::from_secs(3);
    let ca = mesh_devca::DevCa::start(&settings).unwrap();
    let identity = crate::support::start(&ca.endpoint("node/gate").unwrap());
    soon("the SVID", identity.usable()).await;
    drop(ca);
    let mut watch = identity.watch();
    soon("the expiry", watch.wait_for(|status| !status.usable))
        .await
        .unwrap();
    assert!(identity.status().svid.is_some());
    let error = dialer(&identity).connect("127.0.0.1:1").await.unwrap_err();
    assert!(
        matches!(error, DialError::NoIdentity(NoIdentity::Unusable(_))),
        "{error:?}"
    );
}

#[tokio::test]
async fn a_dialer_over_another_carrier_gives_a_channel_too() {
    let (ours, theirs) = tokio::io::duplex(4_096);
    let ours = Arc::new(std::sync::Mutex::new(Some(ours)));
    let dialer = Dialer::new(move |_| {
        let stream = ours.lock().unwrap().take().unwrap();
        Box::pin(async move { Ok(Box::new(stream) as mesh_transport::Stream) })
    });
    let mut theirs = theirs;
    let server = tokio::spawn(async move {
        let mut preface = [0; 24];
        theirs.read_exact(&mut preface).await.unwrap();
        preface
    });
    let channel = dialer.connect("anywhere:1").await;
    assert_eq!(
        &soon("the preface", server).await.unwrap(),
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
    );
    drop(channel);
}

use futures_util::StreamExt as _;

use super::*;
use crate::testing::start;
use fixture::Cables;

fn service(topology: &Arc<TopologySnapshot>) -> (TopologyQueries, latest::Sender<Arc<TopologySnapshot>>) {
    let (sender, receiver) = latest::channel(Arc::clone(topology));
    (
        TopologyQueries::new(receiver, History::new(start().wall), CancellationToken::new()),
        sender,
    )
}

fn pair() -> Cables {
    Cables::new(&["a", "b"]).cable("a", "b", 255, 255)
}

async fn watch(service: &TopologyQueries) -> TopologyChanges {
    let request = Request::new(pb::WatchTopologyRequest::default());
    service.watch_topology(request).await.unwrap().into_inner()
}

#[tokio::test]
async fn node_is_told_with_links_and_routes() {
    let (service, _sender) = service(&pair().snapshot());
    let request = Request::new(pb::GetNodeRequest { node: "a".to_owned() });
    let answer = service.get_node(request).await.unwrap().into_inner();
    expect_test::expect![[r#"
        (
            [
                Link {
                    mesh: "roofs",
                    node: "a",
                    hard_ifname: "eth0",
                    neigh_address: "02:00:00:00:0b:00",
                    neighbor_node: "b",
                    tq: Some(
                        255,
                    ),
                    throughput: None,
                    last_seen_msecs: 0,
                    stale: false,
                },
            ],
            [
                Route {
                    orig_address: "02:00:00:00:0b:00",
                    orig_node: "b",
                    neigh_address: "02:00:00:00:0b:00",
                    neighbor_node: "b",
                    hard_ifname: "eth0",
                    tq: Some(
                        255,
                    ),
                    throughput: None,
                    last_seen_msecs: 0,
                },
            ],
        )
    "#]]
    .assert_debug_eq(&(answer.links, answer.originators));
}

#[tokio::test]
async fn watch_tells_what_is_and_then_what_changes() {
    let mut topology = crate::topology::Topology::default();
    let start = start();
    let (service, sender) = service(&pair().report_all(&mut topology, start));
    let mut changes = watch(&service).await;
    let first = changes.next().await.unwrap().unwrap();
    assert_eq!((first.full, first.nodes.len()), (true, 2));
    sender.send_replace(pair().set("a", "b", 200, 0).report_all(&mut topology, start));
    let second = changes.next().await.unwrap().unwrap();
    assert_eq!((second.full, second.links.len()), (false, 1));
}

#[tokio::test]
async fn watch_ends_with_the_collector() {
    let (service, _sender) = service(&pair().snapshot());
    let mut changes = watch(&service).await;
    assert!(changes.next().await.is_some());
    service.shutdown.cancel();
    assert!(changes.next().await.is_none());
}

#[tokio::test]
async fn watchers_are_bounded_and_make_room_when_they_leave() {
    let (service, _sender) = service(&pair().snapshot());
    let mut watchers = Vec::new();
    for _ in 0..MAX_WATCHERS {
        watchers.push(watch(&service).await);
    }
    let request = || Request::new(pb::WatchTopologyRequest::default());
    let refused = service.watch_topology(request()).await.err().unwrap();
    assert_eq!(refused.code(), tonic::Code::ResourceExhausted);
    watchers.pop();
    assert!(service.watch_topology(request()).await.is_ok());
}

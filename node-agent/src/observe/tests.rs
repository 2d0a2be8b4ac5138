use mesh_proto::model::{ManagePolicy, MeshId, MeshSettings, MeshView, TableSizes};

use super::*;

fn bat0() -> IfName {
    "bat0".parse().unwrap()
}

fn managed(drift: u32) -> BTreeMap<IfName, Managed> {
    let managed = Managed {
        mesh: MeshId::try_from("roofs").unwrap(),
        policy: ManagePolicy::Enforce,
        drift,
    };
    BTreeMap::from([(bat0(), managed)])
}

/// Looks once at a mesh interface that does not exist, and then not for an hour.
fn observer(managed: watch::Receiver<BTreeMap<IfName, Managed>>) -> Observer {
    let name: IfName = "no-such-bat".parse().unwrap();
    Observer {
        interval: Duration::from_secs(3_600),
        collector: Collector::new([name.clone()]),
        config: derive::Config {
            meshes: BTreeMap::from([(name, MeshId::try_from("roofs").unwrap())]),
            boot_id: "boot".to_owned(),
            churn_incarnation: 1,
            traffic_incarnation: 1,
        },
        probes: None,
        identity: None,
        managed: Some(managed),
    }
}

async fn told(snapshots: &mut watch::Receiver<Option<Arc<Snapshot>>>, drift: Option<u32>) -> Arc<Snapshot> {
    let wanted = |snapshot: &Option<Arc<Snapshot>>| {
        snapshot
            .as_ref()
            .is_some_and(|snapshot| snapshot.managed.get(&bat0()).map(|managed| managed.drift) == drift)
    };
    let snapshot = tokio::time::timeout(Duration::from_secs(10), snapshots.wait_for(wanted)).await;
    snapshot.expect("no such view was published").unwrap().clone().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_managed_is_told_at_once_and_without_a_look() {
    let (managed_tx, managed_rx) = watch::channel(BTreeMap::new());
    let (snapshots, mut published) = watch::channel(None);
    let (records, _records) = mpsc::channel(4);
    let stop = CancellationToken::new();
    let running = tokio::spawn(observer(managed_rx).run(Outputs { snapshots, records }, stop.clone()));
    let first = told(&mut published, None).await;
    managed_tx.send_replace(managed(2));
    let second = told(&mut published, Some(2)).await;
    assert_eq!(second.probes, first.probes);
    managed_tx.send_replace(managed(0));
    told(&mut published, Some(0)).await;
    // Nobody to say more; what was said last stays.
    drop(managed_tx);
    tokio::time::sleep(Duration::from_millis(50)).await;
    told(&mut published, Some(0)).await;
    stop.cancel();
    running.await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn the_first_view_has_what_was_managed_before() {
    let (_managed, managed_rx) = watch::channel(managed(1));
    let (snapshots, mut published) = watch::channel(None);
    let (records, _records) = mpsc::channel(4);
    let stop = CancellationToken::new();
    let running = tokio::spawn(observer(managed_rx).run(Outputs { snapshots, records }, stop.clone()));
    told(&mut published, Some(1)).await;
    stop.cancel();
    running.await.unwrap();
}

fn view(hop_penalty: u8) -> MeshView {
    let settings = MeshSettings {
        mesh: MeshId::try_from("roofs").unwrap(),
        algorithm: None,
        mesh_address: None,
        orig_address: None,
        hop_penalty: Some(hop_penalty),
        orig_interval_ms: None,
        gw_mode: None,
        gw_bandwidth_down_kbit: None,
        gw_bandwidth_up_kbit: None,
    };
    MeshView {
        settings,
        hard_interfaces: BTreeMap::new(),
        neighbors: BTreeMap::new(),
        originators: BTreeMap::new(),
        gateways: BTreeMap::new(),
        tables: TableSizes::default(),
        counters_incarnation: 0,
        counters: BTreeMap::new(),
        traffic_incarnation: 0,
        traffic: BTreeMap::new(),
        churn: None,
    }
}

#[test]
fn views_of_a_glance_replace_their_own_alone() {
    let (snapshots, mut published) = watch::channel(None);
    let (records, _records) = mpsc::channel(4);
    let outputs = Outputs { snapshots, records };
    let glanced = || BTreeMap::from([(bat0(), view(2))]);
    publish_views(glanced(), &outputs);
    assert!(published.borrow().is_none(), "there is no whole view yet");
    let bat1: IfName = "bat1".parse().unwrap();
    let before = Snapshot {
        meshes: BTreeMap::from([(bat0(), view(1)), (bat1.clone(), view(1))]),
        managed: managed(3),
        ..Snapshot::default()
    };
    outputs.snapshots.send_replace(Some(Arc::new(before.clone())));
    published.borrow_and_update();
    publish_views(BTreeMap::new(), &outputs);
    assert!(!published.has_changed().unwrap(), "nothing is no news");
    publish_views(glanced(), &outputs);
    let after = Snapshot::clone(published.borrow().as_ref().unwrap());
    assert_eq!(after.meshes, BTreeMap::from([(bat0(), view(2)), (bat1, view(1))]));
    assert_eq!(after.managed, before.managed);
}

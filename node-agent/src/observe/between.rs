//! Views published between two looks, and what the log says of events.

use std::collections::BTreeMap;
use std::sync::Arc;

use mesh_proto::model::{Event, IfName, Managed, MeshView};
use tokio::sync::watch;

use super::Outputs;

/// The mesh interfaces this agent manages; `None`: it only looks.
pub(super) type ManagedNow = Option<watch::Receiver<BTreeMap<IfName, Managed>>>;

/// Somebody said something new of what is managed.
pub(super) async fn changed(managed: &mut ManagedNow) {
    if let Some(managed) = managed
        && managed.changed().await.is_ok()
    {
        return;
    }
    // Nobody will say more.
    std::future::pending().await
}

pub(super) fn latest(managed: &mut ManagedNow) -> BTreeMap<IfName, Managed> {
    managed
        .as_mut()
        .map(|managed| managed.borrow_and_update().clone())
        .unwrap_or_default()
}

/// The last view once more, with what is managed now. Before the first view nothing is published.
pub(super) fn publish_managed(managed: &mut ManagedNow, outputs: &Outputs) {
    let managed = latest(managed);
    outputs.snapshots.send_if_modified(|snapshot| match snapshot {
        Some(snapshot) if snapshot.managed != managed => {
            Arc::make_mut(snapshot).managed = managed;
            true
        }
        _ => false,
    });
}

/// The last view once more, with these mesh interfaces as they are now.
pub(super) fn publish_views(meshes: BTreeMap<IfName, MeshView>, outputs: &Outputs) {
    if meshes.is_empty() {
        return;
    }
    outputs.snapshots.send_if_modified(|snapshot| match snapshot {
        Some(snapshot) => {
            Arc::make_mut(snapshot).meshes.extend(meshes);
            true
        }
        None => false,
    });
}

/// What somebody at the node should know without a collector.
pub(super) fn log(event: &Event) {
    if let Event::GatewaySilent {
        mesh_ifname,
        orig_address,
        silent,
        given_up,
        last_seen_msecs,
    } = event
    {
        match (silent, given_up) {
            (true, _) => tracing::warn!(
                %mesh_ifname, %orig_address, last_seen_msecs,
                "the selected gateway is silent; the kernel goes on using it for up to 200 s"
            ),
            (false, true) => tracing::info!(
                %mesh_ifname, %orig_address, last_seen_msecs, "the silent gateway is not selected any more"
            ),
            (false, false) => tracing::info!(%mesh_ifname, %orig_address, "the selected gateway is heard again"),
        }
    }
}

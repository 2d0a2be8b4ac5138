//! Names of the members by index: tables carry the index always, the name on newer kernels only.

use std::collections::BTreeMap;

use mesh_proto::model::IfName;

use crate::sample::MeshSample;

#[derive(Debug, Clone, Default)]
pub(super) struct Names(BTreeMap<u32, IfName>);

impl Names {
    pub(super) fn new(sample: &MeshSample) -> Self {
        let links = sample.members.iter().map(|link| (link.ifindex, link.ifname.as_str()));
        let hard = sample.hard_interfaces.iter().flat_map(|dump| &dump.entries);
        let hard = hard.map(|entry| (entry.hard_ifindex, entry.hard_ifname.as_str()));
        let rows = sample.originators.iter().flat_map(|dump| &dump.entries);
        let rows = rows.filter_map(|row| Some((row.hard_ifindex, row.hard_ifname.as_deref()?)));
        Self(
            rows.chain(hard)
                .chain(links)
                .filter_map(|(index, name)| Some((index, IfName::try_from(name).ok()?)))
                .collect(),
        )
    }

    /// `None`: nobody knows a member of that index, so it has left.
    pub(super) fn get(&self, hard_ifindex: u32) -> Option<&IfName> {
        self.0.get(&hard_ifindex)
    }
}

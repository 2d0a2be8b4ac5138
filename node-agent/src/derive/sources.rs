//! Whether each source can be read, in the words of the probes' list.

use std::collections::BTreeMap;

use mesh_proto::model::ProbeStatus;

use crate::sample::{Fault, Sample, Source};

/// One entry a source. It counts as attached when every mesh interface gives it; the reasons name those that do not.
pub(super) fn statuses(sample: &Sample) -> BTreeMap<String, ProbeStatus> {
    let mut statuses = BTreeMap::new();
    for (name, mesh) in &sample.meshes {
        let mut note = |source: Source, fault: Option<&Fault>| {
            let status = statuses.entry(source.name().to_owned()).or_insert_with(|| ProbeStatus {
                attached: true,
                mechanism: source.mechanism().to_owned(),
                reason: String::new(),
            });
            if let Some(fault) = fault {
                status.attached = false;
                if !status.reason.is_empty() {
                    status.reason.push_str("; ");
                }
                status.reason.push_str(&format!("{name}: {}", fault.sentence(source)));
            }
        };
        note(Source::Interface, mesh.as_ref().err());
        if let Ok(mesh) = mesh {
            for (source, fault) in mesh.sources() {
                note(source, fault);
            }
        }
    }
    statuses
}

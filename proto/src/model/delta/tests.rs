use proptest::prelude::*;

use super::*;
use crate::model::strategies::snapshot;

proptest! {
    #[test]
    fn a_delta_turns_the_one_view_into_the_other(prev in snapshot(), next in snapshot()) {
        let lost = prev.svid.is_some() && next.svid.is_none()
            || next.meshes.iter().any(|(name, mesh)| {
                mesh.churn.is_none() && prev.meshes.get(name).is_some_and(|before| before.churn.is_some())
            });
        match Delta::diff(&prev, &next) {
            Some(delta) => {
                prop_assert!(!lost);
                let mut view = prev;
                prop_assert_eq!(delta.apply(&mut view), Ok(()));
                prop_assert_eq!(view, next);
            }
            None => prop_assert!(lost),
        }
    }

    #[test]
    fn nothing_changed_is_an_empty_delta(view in snapshot()) {
        prop_assert_eq!(Delta::diff(&view, &view), Some(Delta::default()));
    }

    #[test]
    fn any_delta_fits_or_is_refused(prev in snapshot(), next in snapshot(), mut other in snapshot()) {
        if let Some(delta) = Delta::diff(&prev, &next) {
            drop(delta.apply(&mut other));
        }
    }
}

#[test]
fn a_delta_for_an_unknown_mesh_interface_asks_for_a_full_view() {
    let name = IfName::try_from("bat0").unwrap();
    let delta = Delta {
        meshes: [(
            name.clone(),
            MeshDelta {
                counters_incarnation: Some(1),
                ..MeshDelta::default()
            },
        )]
        .into(),
        ..Delta::default()
    };
    assert_eq!(delta.apply(&mut Snapshot::default()), Err(Misfit::UnknownMesh(name)));
}

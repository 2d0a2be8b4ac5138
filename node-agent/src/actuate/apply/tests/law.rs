//! What holds for any two states.

use std::collections::BTreeSet;

use futures_util::FutureExt;
use mesh_proto::model::IfName;
use proptest::prelude::*;

use crate::actuate::apply::{Permit, Report, apply};
use crate::actuate::plan::{Disruption, Plan};
use crate::actuate::sim::Sim;
use crate::actuate::sim::worlds::{self, goal};
use crate::actuate::{Goal, Knob, MeshSetting, Setting, State, Target, Value};

const ALL: Permit = Permit { recreate: true };

fn run(sim: &mut Sim, goal: &Goal) -> Option<Report> {
    apply(sim, goal, ALL).now_or_never()
}

/// Less the VLANs of mesh interfaces that were made anew: who made them is to make them again.
fn without_lost_vlans(state: &State, after: &State) -> State {
    let mut state = state.clone();
    state
        .knobs
        .retain(|knob, _| !matches!(knob.target, Target::Vlan(..)) || after.knobs.contains_key(knob));
    state
}

fn made_anew(a: &State, b: &State, mesh: &IfName) -> bool {
    let knob = Knob::mesh(mesh, Setting::Algorithm);
    a.get(&knob) != b.get(&knob)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_plan_leads_from_any_state_to_any_other_and_its_undo_back((a, b) in worlds::two()) {
        let (before, wanted) = (a.state(), b.state());
        let planned = Plan::new(&before, &goal(&before, &wanted));
        let mut sim = a;
        let report = run(&mut sim, &goal(&before, &wanted)).expect("not killed");
        prop_assert_eq!(&report.unmet, &vec![]);
        prop_assert_eq!(sim.state(), wanted);
        for undo in [planned.undo, report.undo] {
            let mut sim = sim.clone();
            let back = run(&mut sim, &undo).expect("not killed");
            prop_assert_eq!(&back.unmet, &vec![]);
            prop_assert_eq!(sim.state(), without_lost_vlans(&before, &sim.state()));
        }
    }

    #[test]
    fn the_second_time_nothing_is_written((a, b) in worlds::two()) {
        let goal = goal(&a.state(), &b.state());
        let mut sim = a;
        run(&mut sim, &goal).expect("not killed");
        sim.writes.clear();
        sim.reads = 0;
        let report = run(&mut sim, &goal).expect("not killed");
        prop_assert_eq!(&sim.writes, &vec![]);
        prop_assert_eq!(sim.reads, 1);
        prop_assert!(report.is_met() && report.done.is_empty() && report.undo.knobs.is_empty());
    }

    #[test]
    fn no_knob_is_written_twice_nor_one_that_is_right((a, b) in worlds::two()) {
        let before = a.state();
        let goal = goal(&before, &b.state());
        let mut sim = a;
        run(&mut sim, &goal).expect("not killed");
        let knobs: BTreeSet<_> = sim.writes.iter().map(|(knob, _)| knob).collect();
        prop_assert_eq!(knobs.len(), sim.writes.len());
    }

    #[test]
    fn one_killed_anywhere_is_undone((a, b) in worlds::two(), killed_after in 0..40usize) {
        let before = a.state();
        let goal = goal(&before, &b.state());
        // Written down before the first write.
        let undo = Plan::new(&before, &goal).undo;
        let mut sim = a;
        sim.killed_after = Some(killed_after);
        run(&mut sim, &goal);
        sim.killed_after = None;
        let report = run(&mut sim, &undo).expect("not killed");
        prop_assert_eq!(&report.unmet, &vec![]);
        prop_assert_eq!(sim.state(), without_lost_vlans(&before, &sim.state()));
    }

    #[test]
    fn one_killed_anywhere_is_carried_on((a, b) in worlds::two(), killed_after in 0..40usize) {
        let (before, wanted) = (a.state(), b.state());
        let goal = goal(&before, &wanted);
        let mut sim = a;
        sim.killed_after = Some(killed_after);
        run(&mut sim, &goal);
        sim.killed_after = None;
        run(&mut sim, &goal).expect("not killed");
        prop_assert_eq!(sim.state(), without_lost_vlans(&wanted, &sim.state()));
    }

    #[test]
    fn the_goal_of_one_mesh_touches_no_other((a, b) in worlds::two(), which in 0..3usize) {
        let (before, wanted) = (a.state(), b.state());
        let mesh: IfName = format!("bat{which}").parse().expect("a name");
        let goal = goal(&before, &wanted).of_mesh(&mesh, &before);
        let mut sim = a;
        run(&mut sim, &goal).expect("not killed");
        let after = sim.state();
        for (knob, value) in &before.knobs {
            let other = match &knob.target {
                // Its MTU follows its members, and one of them may have moved.
                Target::Mesh(name) => *name != mesh && knob.setting != Setting::Mtu,
                Target::Vlan(name, _) => *name != mesh,
                Target::Interface(name) => {
                    before.master(name) != Some(&mesh) && wanted.master(name) != Some(&mesh)
                }
            };
            if other {
                prop_assert_eq!(after.get(knob), Some(value), "{}", knob);
            }
        }
        for (knob, _) in &sim.writes {
            prop_assert!(!matches!(&knob.target, Target::Mesh(name) | Target::Vlan(name, _) if *name != mesh), "{}", knob);
        }
    }

    #[test]
    fn what_the_goal_does_not_name_stays_or_comes_back((a, b) in worlds::two(), named in any::<u64>()) {
        let (before, wanted) = (a.state(), b.state());
        let mut goal = goal(&before, &wanted);
        let mut index = 0u32;
        goal.knobs.retain(|knob, _| {
            index += 1;
            knob.setting.can_be_taken_away() || named & (1 << (index % 64)) != 0
        });
        let mut sim = a;
        run(&mut sim, &goal).expect("not killed");
        let after = sim.state();
        for (knob, value) in &before.knobs {
            let unsure = match (&knob.target, knob.setting) {
                (Target::Mesh(_), Setting::Mtu) | (_, Setting::Up) => true,
                // Its numbers mean other things to the other algorithm.
                (Target::Mesh(mesh), Setting::Mesh(MeshSetting::GwSelClass)) => made_anew(&before, &after, mesh),
                (Target::Vlan(mesh, _), _) => made_anew(&before, &after, mesh),
                _ => false,
            };
            let there = wanted.knobs.contains_key(knob);
            if there && !unsure && !goal.knobs.contains_key(knob) {
                prop_assert_eq!(after.get(knob), Some(value), "{}", knob);
            }
        }
    }

    #[test]
    fn hitless_settings_alone_are_hitless_steps(
        (a, _) in worlds::two(),
        settings in proptest::collection::vec(worlds::hitless(), 1..8),
    ) {
        let before = a.state();
        let mut goal = Goal::default();
        for mesh in a.meshes.keys() {
            let knobs = settings.iter().map(|(setting, value)| (Knob::mesh(mesh, Setting::Mesh(*setting)), Some(value.clone())));
            goal.knobs.extend(knobs);
        }
        let plan = Plan::new(&before, &goal);
        prop_assert!(plan.steps.iter().all(|step| step.disruption == Disruption::Hitless));
        prop_assert!(plan.steps.iter().all(|step| goal.knobs.contains_key(&step.knob)));
    }

    #[test]
    fn a_mesh_is_made_anew_only_for_another_algorithm((a, b) in worlds::two()) {
        let (before, wanted) = (a.state(), b.state());
        let plan = Plan::new(&before, &goal(&before, &wanted));
        let ends = a.meshes.iter().any(|(name, mesh)| b.meshes.get(name).is_none_or(|new| new.algorithm != mesh.algorithm));
        prop_assert_eq!(plan.disruption() == Some(Disruption::Recreate), ends);
    }

    #[test]
    fn without_permission_no_mesh_goes_and_the_others_are_served((a, b) in worlds::two()) {
        let (before, wanted) = (a.state(), b.state());
        let goal = goal(&before, &wanted);
        let mut sim = a.clone();
        let report = apply(&mut sim, &goal, Permit::default()).now_or_never().expect("not killed");
        let after = sim.state();
        for (name, mesh) in &a.meshes {
            let kept = b.meshes.get(name).is_some_and(|new| new.algorithm == mesh.algorithm);
            let of_mesh = goal.of_mesh(name, &before);
            for (knob, wanted) in &of_mesh.knobs {
                // A member that may not move on keeps its MTU small.
                let follows = *knob == Knob::mesh(name, Setting::Mtu);
                if kept && !follows {
                    prop_assert_eq!(after.get(knob), wanted.as_ref(), "{}", knob);
                } else if knob.target == Target::Mesh(name.clone()) && !follows {
                    prop_assert_eq!(after.get(knob), before.get(knob), "{}", knob);
                }
            }
            if !kept {
                let algorithm = Knob::mesh(name, Setting::Algorithm);
                prop_assert!(report.unmet.iter().any(|unmet| unmet.knob == algorithm));
            }
        }
    }

    #[test]
    fn a_member_that_moves_is_interrupted_once((a, b) in worlds::two()) {
        let (before, wanted) = (a.state(), b.state());
        let plan = Plan::new(&before, &goal(&before, &wanted));
        for interface in a.interfaces.keys() {
            let master = Knob::interface(interface, Setting::Master);
            let steps = plan.steps.iter().filter(|step| step.knob == master).count();
            prop_assert!(steps <= 1);
        }
    }

    #[test]
    fn any_goal_ends((a, b) in worlds::two(), value in prop_oneof![Just(None), any::<u32>().prop_map(Some)], pick in any::<prop::sample::Index>()) {
        let mut goal = goal(&a.state(), &b.state());
        let knobs: Vec<_> = goal.knobs.keys().cloned().collect();
        let odd = knobs[pick.index(knobs.len())].clone();
        goal.knobs.insert(odd.clone(), value.map(Value::Number));
        let mut sim = a;
        let report = run(&mut sim, &goal).expect("not killed");
        prop_assert!(report.error.is_none());
        prop_assert_eq!(report.after, Some(sim.observed()));
    }
}

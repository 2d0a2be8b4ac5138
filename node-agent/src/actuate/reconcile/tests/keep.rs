//! `run` keeps it so.

use mesh_proto::model::{DriftAction, Event, ManagePolicy};
use tokio::time::sleep;

use super::*;
use crate::actuate::sim::SimInterface;

const ENFORCE: &str = "[mesh.bat0]\npolicy = \"enforce\"\nhop_penalty = 15\n[[mesh.bat0.member]]\npattern = \"eth*\"\n";
const SOON: Duration = Duration::from_millis(900);

fn told(agent: &mut world::Agent) -> Vec<(String, DriftAction)> {
    let mut told = Vec::new();
    while let Ok(record) = agent.records.try_recv() {
        if let Event::ConfigDrift { setting, action, .. } = record.event {
            told.push((setting, action));
        }
    }
    told
}

#[tokio::test(start_paused = true)]
async fn drift_is_told_and_put_right_within_a_second() {
    let world = World::new();
    let mut agent = world.agent(ENFORCE);
    sleep(SOON).await;
    assert_eq!((world.penalty("bat0"), agent.drift("bat0")), (penalty(15), 0));
    assert_eq!(world.master("eth2").as_deref(), Some("bat0"));
    told(&mut agent);

    world.set_penalty("bat0", 200);
    agent.changed().await;
    sleep(SOON).await;
    assert_eq!(world.penalty("bat0"), penalty(15));
    assert_eq!(
        told(&mut agent),
        [("bat0.hop_penalty".to_owned(), DriftAction::PutRight)]
    );
    // What nobody wished is nobody's to change.
    let writes = world.sim().writes.len();
    sleep(Duration::from_secs(120)).await;
    assert_eq!(world.sim().writes.len(), writes);
    let before = world.sim().state();
    agent.stop().await;
    assert_eq!(world.sim().state(), before, "stopping changes nothing");
}

#[tokio::test(start_paused = true)]
async fn what_nobody_said_is_seen_half_a_minute_later() {
    let world = World::new();
    let _agent = world.agent(ENFORCE);
    sleep(SOON).await;
    world.set_penalty("bat0", 200);
    sleep(Duration::from_secs(31)).await;
    assert_eq!(world.penalty("bat0"), penalty(15));
}

#[tokio::test(start_paused = true)]
async fn what_is_only_reported_is_left() {
    let world = World::new();
    world.make("bat0", "eth1");
    let report = ENFORCE.replace("enforce", "report");
    let mut agent = world.agent(&report);
    sleep(SOON).await;
    assert_eq!(world.sim().writes, []);
    let drift = agent.drift("bat0");
    assert!(drift >= 3, "penalty, eth0, eth2: {drift}");
    assert!(
        told(&mut agent)
            .iter()
            .all(|(_, action)| *action == DriftAction::Reported)
    );
    world.set_penalty("bat0", 15);
    agent.changed().await;
    sleep(SOON).await;
    assert_eq!(agent.drift("bat0"), drift - 1);
    assert_eq!(
        agent.managed.borrow()[&"bat0".parse().unwrap()].policy,
        ManagePolicy::Report
    );
}

#[tokio::test(start_paused = true)]
async fn an_interface_that_appears_joins_and_a_mesh_interface_that_vanishes_is_made_again() {
    let world = World::new();
    let agent = world.agent(ENFORCE);
    sleep(SOON).await;
    world
        .sim()
        .interfaces
        .insert("eth5".parse().unwrap(), SimInterface::ethernet(5));
    agent.changed().await;
    sleep(SOON).await;
    assert_eq!(world.master("eth5").as_deref(), Some("bat0"));
    let knob = crate::actuate::Knob::mesh(&"bat0".parse().unwrap(), crate::actuate::Setting::Algorithm);
    world.sim().set(&knob, None).unwrap();
    agent.changed().await;
    sleep(SOON).await;
    assert_eq!(world.penalty("bat0"), penalty(15));
    assert_eq!(world.master("eth5").as_deref(), Some("bat0"));
    agent.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_fight_is_held_back_from_and_the_other_mesh_is_kept_all_the_same() {
    let world = World::new();
    let text =
        "[mesh.bat0]\npolicy = \"enforce\"\nhop_penalty = 15\n[mesh.bat1]\npolicy = \"enforce\"\nhop_penalty = 16\n";
    let mut agent = world.agent(text);
    sleep(SOON).await;
    told(&mut agent);
    for _ in 0..20 {
        world.set_penalty("bat0", 100);
        agent.changed().await;
        sleep(SOON).await;
    }
    assert_eq!(world.penalty("bat0"), penalty(100), "held back");
    let said = told(&mut agent);
    let count = |wanted| said.iter().filter(|(_, action)| *action == wanted).count();
    assert_eq!((count(DriftAction::PutRight), count(DriftAction::HeldBack)), (3, 1));
    assert!(
        agent.managing.borrow().meshes[&"bat0".parse().unwrap()].drift[0]
            .why
            .starts_with("held back")
    );
    world.set_penalty("bat1", 101);
    agent.changed().await;
    sleep(SOON).await;
    assert_eq!(world.penalty("bat1"), penalty(16));
    // Left in peace it is put right when the time has come, with no word from the kernel.
    sleep(Duration::from_secs(31)).await;
    assert_eq!(world.penalty("bat0"), penalty(15));
    agent.stop().await;
}

#[tokio::test(start_paused = true)]
async fn without_the_lock_it_only_reports_and_takes_it_when_it_is_free() {
    let world = World::new();
    let command = world.manager(ENFORCE);
    let agent = world.agent(ENFORCE);
    sleep(SOON).await;
    assert_eq!(world.sim().writes, []);
    assert!(
        agent
            .managing
            .borrow()
            .idle
            .as_ref()
            .unwrap()
            .contains("another node-agent")
    );
    assert!(agent.drift("bat0") > 0);
    drop(command);
    sleep(Duration::from_secs(31)).await;
    assert_eq!(world.penalty("bat0"), penalty(15));
    assert_eq!(agent.managing.borrow().idle, None);
}

#[tokio::test(start_paused = true)]
async fn a_write_that_hangs_holds_up_no_other_for_long() {
    let world = World::new();
    let text =
        "[mesh.bat0]\npolicy = \"enforce\"\nhop_penalty = 15\n[mesh.bat1]\npolicy = \"enforce\"\nhop_penalty = 16\n";
    let agent = world.agent(text);
    sleep(SOON).await;
    world.set_penalty("bat0", 100);
    let writes = world.sim().writes.len();
    world.sim().killed_after = Some(writes);
    agent.changed().await;
    sleep(Duration::from_secs(21)).await;
    world.sim().killed_after = None;
    world.set_penalty("bat1", 101);
    agent.changed().await;
    sleep(SOON).await;
    assert_eq!(world.penalty("bat1"), penalty(16));
    assert_eq!(world.penalty("bat0"), penalty(100), "tried again later");
    sleep(Duration::from_secs(40)).await;
    assert_eq!(world.penalty("bat0"), penalty(15));
}

#[tokio::test(start_paused = true)]
async fn torn_down_it_holds_still_until_somebody_says_so() {
    let world = World::new();
    let agent = world.agent(ENFORCE);
    sleep(SOON).await;
    let answer = agent.ask(Request::Teardown).await;
    assert_eq!(answer.code, Code::Done, "{}", answer.text);
    sleep(Duration::from_secs(100)).await;
    assert_eq!((world.penalty("bat0"), world.master("eth1")), (None, None));
    let notes = agent.managing.borrow().meshes[&"bat0".parse().unwrap()].notes.concat();
    assert!(notes.contains("torn down"), "{notes}");
    let config = Written {
        path: "a.toml".into(),
        text: ENFORCE.into(),
    };
    let apply = Request::Apply {
        config,
        recreate: false,
        confirm_within_ms: None,
    };
    assert_eq!(agent.ask(apply).await.code, Code::Done);
    assert_eq!(world.penalty("bat0"), penalty(15));
}

#[tokio::test(start_paused = true)]
async fn a_setting_that_waits_for_its_member_to_join_is_neither_put_right_nor_fought_over() {
    let world = World::new();
    let text = "[mesh.bat0]\npolicy = \"enforce\"\n[[mesh.bat0.member]]\nname = \"eth1\"\nhop_penalty = 7\n";
    let join = crate::actuate::Knob::interface(&"eth1".parse().unwrap(), crate::actuate::Setting::Master);
    let busy = crate::actuate::WriteError::Refused("busy".to_owned());
    world.sim().failing.insert(join.clone(), busy);
    let mut agent = world.agent(text);
    for _ in 0..20 {
        agent.changed().await;
        sleep(Duration::from_secs(10)).await;
    }
    let said: Vec<_> = told(&mut agent)
        .into_iter()
        .filter(|(it, _)| it.starts_with("eth1."))
        .collect();
    let refused = |setting: &str| (setting.to_owned(), DriftAction::Refused);
    assert_eq!(said, [refused("eth1.hop_penalty"), refused("eth1.master")]);
    // Somebody else makes it join: the setting can be written now, and is at once.
    let master = crate::actuate::Value::Interface("bat0".parse().unwrap());
    world.sim().set(&join, Some(&master)).unwrap();
    agent.changed().await;
    sleep(SOON).await;
    assert_eq!(
        told(&mut agent),
        [("eth1.hop_penalty".to_owned(), DriftAction::PutRight)]
    );
    assert_eq!(agent.drift("bat0"), 0);
    agent.stop().await;
}

#[tokio::test(start_paused = true)]
async fn told_to_stop_it_ends_the_mesh_interface_it_is_at_and_begins_no_other() {
    let world = World::new();
    let text =
        "[mesh.bat0]\npolicy = \"enforce\"\nhop_penalty = 15\n[mesh.bat1]\npolicy = \"enforce\"\nhop_penalty = 16\n";
    let mut manager = world.manager(text);
    let (beats, mut beating) = watch::channel(());
    manager.beats = Some(beats);
    let survey = manager.look().await;
    beating.mark_unchanged();
    let stop = manager.stop.clone();
    manager.carry_out(survey, |_| stop.cancel()).await;
    assert_eq!((world.penalty("bat0"), world.penalty("bat1")), (penalty(15), None));
    assert!(beating.has_changed().unwrap(), "whoever watches hears of each");

    let answer = manager.apply_wishes(wishes(text), How::default()).await;
    assert_eq!(
        (answer.code, world.penalty("bat1")),
        (Code::Failed, None),
        "{}",
        answer.text
    );
    assert_eq!(manager.teardown().await.code, Code::Failed);
    assert_eq!(world.penalty("bat0"), penalty(15));
}

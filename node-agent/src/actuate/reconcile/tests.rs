mod back;
mod keep;
mod world;

use std::time::Duration;

use super::*;
use crate::control::Code;
use world::{World, penalty, wishes};

const WISH: &str = "[mesh.bat0]\nhop_penalty = 15\n[[mesh.bat0.member]]\npattern = \"eth*\"\n";

#[tokio::test(start_paused = true)]
async fn apply_does_what_plan_said_and_the_second_time_nothing() {
    let world = World::new();
    let mut manager = world.manager(WISH);
    let planned = manager.plan(&wishes(WISH)).await;
    assert_eq!(planned.code, Code::Differs);
    assert!(planned.text.contains("+ eth1 joins bat0"), "{}", planned.text);
    assert_eq!(world.sim().writes.len(), 0, "a plan writes nothing");

    let applied = manager.apply_wishes(wishes(WISH), How::default()).await;
    assert_eq!(applied.code, Code::Done, "{}", applied.text);
    assert_eq!(world.penalty("bat0"), penalty(15));
    assert_eq!(world.master("eth1").as_deref(), Some("bat0"));
    assert_eq!(manager.plan(&wishes(WISH)).await.code, Code::Done);
    world.sim().writes.clear();
    assert_eq!(
        manager.apply_wishes(wishes(WISH), How::default()).await.code,
        Code::Done
    );
    assert_eq!(world.sim().writes, []);
}

#[tokio::test(start_paused = true)]
async fn another_algorithm_is_left_alone_without_the_flag() {
    let world = World::new();
    let mut manager = world.manager(WISH);
    manager.apply_wishes(wishes(WISH), How::default()).await;
    let other = "[mesh.bat0]\nalgorithm = \"BATMAN_V\"\nhop_penalty = 16\n";
    world.sim().writes.clear();
    let refused = manager.apply_wishes(wishes(other), How::default()).await;
    assert_eq!(refused.code, Code::Failed);
    assert!(refused.text.contains("--recreate"), "{}", refused.text);
    assert_eq!(world.sim().writes, []);
    let how = How {
        recreate: true,
        ..How::default()
    };
    let done = manager.apply_wishes(wishes(other), how).await;
    assert_eq!(done.code, Code::Done, "{}", done.text);
    assert_eq!(
        world.sim().meshes[&"bat0".parse::<IfName>().unwrap()].algorithm,
        "BATMAN_V"
    );
    assert_eq!(
        world.master("eth1").as_deref(),
        Some("bat0"),
        "what it lost is put back"
    );
}

#[tokio::test(start_paused = true)]
async fn a_problem_of_one_mesh_interface_holds_up_no_other() {
    let world = World::new();
    world
        .sim()
        .interfaces
        .get_mut(&"eth2".parse::<IfName>().unwrap())
        .unwrap()
        .other_master = Some("br0".parse().unwrap());
    let text = "[mesh.bat0]\nhop_penalty = 15\n[[mesh.bat0.member]]\nname = \"eth2\"\n[mesh.bat1]\nhop_penalty = 16\n";
    let mut manager = world.manager(text);
    let answer = manager.apply_wishes(wishes(text), How::default()).await;
    assert_eq!(answer.code, Code::Failed);
    assert!(answer.text.contains("br0"), "{}", answer.text);
    assert_eq!((world.penalty("bat0"), world.penalty("bat1")), (None, penalty(16)));
    assert_eq!(manager.plan(&wishes(text)).await.code, Code::Failed);
}

#[tokio::test(start_paused = true)]
async fn what_is_missing_is_a_difference() {
    let world = World::new();
    let text = "[mesh.bat0]\nhop_penalty = 15\n[[mesh.bat0.member]]\nname = \"eth9\"\n";
    let mut manager = world.manager(text);
    let answer = manager.apply_wishes(wishes(text), How::default()).await;
    assert_eq!(answer.code, Code::Failed);
    assert_eq!(world.penalty("bat0"), penalty(15), "the rest is done");
    assert_eq!(manager.plan(&wishes(text)).await.code, Code::Differs);
}

#[tokio::test(start_paused = true)]
async fn teardown_takes_away_what_was_made_and_sets_back_what_was_changed() {
    let world = World::new();
    // Another manager's, with a member of its own.
    world.make("bat0", "eth0");
    let before = world.sim().state();
    let text = "[mesh.bat0]\nhop_penalty = 51\n[[mesh.bat0.member]]\npattern = \"eth[01]\"\n";
    let text = text.replace("eth[01]", "eth*") + "[mesh.bat7]\nhop_penalty = 52\n";
    let mut manager = world.manager(&text);
    for penalty in ["51", "52"] {
        // Twice: what was before the first counts.
        let text = text.replace("51", penalty);
        let answer = manager.apply_wishes(wishes(&text), How::default()).await;
        assert_eq!(answer.code, Code::Done, "{}", answer.text);
    }
    assert_eq!(world.penalty("bat7"), penalty(52));
    let answer = manager.teardown().await;
    assert_eq!(answer.code, Code::Done, "{}", answer.text);
    assert_eq!(world.sim().state(), before);
    world.sim().writes.clear();
    let again = manager.teardown().await;
    assert_eq!(
        (again.code, world.sim().writes.len()),
        (Code::Done, 0),
        "{}",
        again.text
    );
}

#[tokio::test(start_paused = true)]
async fn what_cannot_be_undone_is_not_done() {
    let world = World::new();
    let mut manager = world.manager(WISH);
    std::fs::create_dir(world.folder.path().join("ledger.json.new")).unwrap();
    let answer = manager.apply_wishes(wishes(WISH), How::default()).await;
    assert_eq!(answer.code, Code::Failed);
    assert!(answer.complaint.contains("state.directory"), "{}", answer.complaint);
    assert_eq!(world.sim().writes, []);
}

#[tokio::test(start_paused = true)]
async fn a_bad_configuration_is_answered_as_such() {
    let world = World::new();
    let mut manager = world.manager(WISH);
    let config = Written {
        path: "a.toml".into(),
        text: "[mesh.bat0]\nhop_penalty = 256\n".into(),
    };
    let answer = manager.answer(Request::Plan { config }).await;
    assert_eq!(answer.code, Code::Config);
    assert!(answer.complaint.contains("a.toml:2"), "{}", answer.complaint);
    // The file the manager was given is not there.
    assert_eq!(manager.answer(Request::Reload).await.code, Code::Config);
}

#[tokio::test(start_paused = true)]
async fn a_kernel_that_cannot_be_read_is_not_written() {
    let world = World::new();
    let mut manager = world.manager(WISH);
    world.sim().unreadable = Some(crate::actuate::ReadError::TimedOut(5));
    assert_eq!(manager.plan(&wishes(WISH)).await.code, Code::Failed);
    let answer = manager.apply_wishes(wishes(WISH), How::default()).await;
    assert_eq!(answer.code, Code::Failed);
    assert_eq!(world.sim().writes, []);
}

#[tokio::test(start_paused = true)]
async fn a_reload_goes_back_to_the_agent_s_own_file() {
    let world = World::new();
    let own = world.folder.path().join("own.toml");
    std::fs::write(&own, WISH).unwrap();
    let mut manager = world.manager_of(Wishes::load(&own).unwrap());
    let apply = Request::Apply {
        config: Written {
            path: "/nowhere/other.toml".into(),
            text: format!("{}[log]\nformat = \"json\"\n", WISH.replace("15", "77")),
        },
        recreate: false,
        confirm_within_ms: None,
    };
    assert_eq!(manager.answer(apply).await.code, Code::Done);
    assert_eq!(world.penalty("bat0"), penalty(77));
    let answer = manager.answer(Request::Reload).await;
    assert_eq!((answer.code, answer.text.as_str()), (Code::Done, "reloaded\n"));
    assert_eq!(manager.wishes.meshes, wishes(WISH).meshes);
}

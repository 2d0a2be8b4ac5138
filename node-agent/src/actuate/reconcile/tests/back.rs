//! What is not confirmed is undone.

use futures_util::FutureExt as _;
use tokio::time::sleep;

use super::*;

const BEFORE: &str = "[mesh.bat0]\npolicy = \"enforce\"\nhop_penalty = 15\n[[mesh.bat0.member]]\nname = \"eth1\"\n";
/// Cuts the node off.
const AFTER: &str = "[mesh.bat0]\npolicy = \"enforce\"\nhop_penalty = 77\n[[mesh.bat0.member]]\nname = \"eth2\"\n";
const WITHIN: How = How {
    recreate: false,
    confirm_within: Some(Duration::from_secs(120)),
};

async fn set_up() -> World {
    let world = World::new();
    let answer = world.manager(BEFORE).apply_wishes(wishes(BEFORE), How::default()).await;
    assert_eq!(answer.code, Code::Done, "{}", answer.text);
    world
}

fn is_before(world: &World) {
    assert_eq!(world.penalty("bat0"), penalty(15));
    assert_eq!(
        (world.master("eth1").as_deref(), world.master("eth2").as_deref()),
        (Some("bat0"), None)
    );
}

fn apply(within: Option<u64>) -> Request {
    Request::Apply {
        config: Written {
            path: "/nowhere/agent.toml".into(),
            text: AFTER.into(),
        },
        recreate: false,
        confirm_within_ms: within,
    }
}

#[tokio::test(start_paused = true)]
async fn what_nobody_confirms_is_undone_when_its_time_is_up_and_not_done_again() {
    let world = set_up().await;
    let before = world.sim().state();
    let agent = world.agent(AFTER.replace("enforce", "report").as_str());
    let answer = agent.ask(apply(Some(120_000))).await;
    assert_eq!(answer.code, Code::Done, "{}", answer.text);
    assert_eq!(world.penalty("bat0"), penalty(77));
    sleep(Duration::from_secs(115)).await;
    assert_eq!(world.penalty("bat0"), penalty(77));
    assert!(agent.managing.borrow().pending.as_ref().unwrap().seconds_left <= 10);
    sleep(Duration::from_secs(6)).await;
    assert_eq!(world.sim().state(), before);
    agent.kill().await;

    // A configuration that is the rejected one is not followed, whatever its policy.
    let agent = world.agent(AFTER);
    sleep(Duration::from_secs(60)).await;
    is_before(&world);
    assert!(agent.drift("bat0") > 0, "it is not as configured");
    // It is kept as it was before, though.
    world.set_penalty("bat0", 200);
    agent.changed().await;
    sleep(Duration::from_secs(1)).await;
    is_before(&world);
    assert_eq!(agent.ask(apply(None)).await.code, Code::Done);
    assert_eq!(world.penalty("bat0"), penalty(77), "somebody said so");
    sleep(Duration::from_secs(60)).await;
    assert_eq!(world.penalty("bat0"), penalty(77));
}

#[tokio::test(start_paused = true)]
async fn what_is_confirmed_stays() {
    let world = set_up().await;
    let agent = world.agent(BEFORE);
    assert_eq!(agent.ask(apply(Some(120_000))).await.code, Code::Done);
    assert_eq!(agent.ask(apply(None)).await.code, Code::Failed, "one waits already");
    assert_eq!(agent.ask(Request::Reload).await.code, Code::Config);
    assert_eq!(agent.ask(Request::Confirm).await.code, Code::Done);
    assert_eq!(agent.ask(Request::Confirm).await.code, Code::Failed, "once is enough");
    sleep(Duration::from_secs(300)).await;
    assert_eq!(world.penalty("bat0"), penalty(77));
    assert_eq!(agent.managing.borrow().pending, None);
}

#[tokio::test(start_paused = true)]
async fn a_command_s_change_is_undone_by_whoever_comes_next() {
    let world = set_up().await;
    let mut command = world.manager(AFTER);
    assert_eq!(command.apply_wishes(wishes(AFTER), WITHIN).await.code, Code::Done);
    drop(command);
    sleep(Duration::from_secs(60)).await;
    let mut next = world.manager(AFTER);
    next.go_back().await;
    assert_eq!(world.penalty("bat0"), penalty(77), "there is time left");
    drop(next);
    sleep(Duration::from_secs(61)).await;
    let mut next = world.manager(AFTER);
    assert_eq!(next.answer(Request::Confirm).await.code, Code::Failed, "too late");
    is_before(&world);
    assert!(next.is_back());
}

#[tokio::test(start_paused = true)]
async fn an_agent_that_starts_with_another_wish_waits_for_what_is_decided() {
    let world = set_up().await;
    let mut command = world.manager(AFTER);
    command.apply_wishes(wishes(AFTER), WITHIN).await;
    drop(command);
    let agent = world.agent(BEFORE);
    sleep(Duration::from_secs(60)).await;
    assert_eq!(
        world.penalty("bat0"),
        penalty(77),
        "it may still be confirmed, from this very mesh"
    );
    sleep(Duration::from_secs(62)).await;
    is_before(&world);
    agent.stop().await;
}

#[tokio::test(start_paused = true)]
async fn killed_at_any_write_it_is_undone_by_the_next_start() {
    for writes in 0..12 {
        let world = set_up().await;
        let before = world.sim().state();
        world.sim().writes.clear();
        world.sim().killed_after = Some(writes);
        let mut command = world.manager(AFTER);
        let finished = command.apply_wishes(wishes(AFTER), How::default()).now_or_never();
        drop(command);
        world.sim().killed_after = None;
        if finished.is_some() {
            assert!(writes > 2, "it takes some writes");
            return;
        }
        let agent = world.agent(AFTER);
        sleep(Duration::from_secs(5)).await;
        assert_eq!(world.sim().state(), before, "killed after {writes} writes");
        agent.stop().await;
    }
    panic!("it never ended");
}

#[tokio::test(start_paused = true)]
async fn killed_while_it_undoes_it_goes_on_undoing() {
    let world = set_up().await;
    let before = world.sim().state();
    let mut command = world.manager(AFTER);
    command.apply_wishes(wishes(AFTER), WITHIN).await;
    drop(command);
    sleep(Duration::from_secs(121)).await;
    world.sim().writes.clear();
    world.sim().killed_after = Some(1);
    let agent = world.agent(AFTER);
    sleep(Duration::from_secs(1)).await;
    agent.kill().await;
    world.sim().killed_after = None;
    assert_ne!(world.sim().state(), before);
    let agent = world.agent(AFTER);
    sleep(Duration::from_secs(5)).await;
    assert_eq!(world.sim().state(), before);
    agent.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_restart_of_the_machine_brings_the_mesh_up_as_it_was_before() {
    let world = set_up().await;
    world.set_penalty("bat0", 15);
    let mut command = world.manager(AFTER);
    command.apply_wishes(wishes(AFTER), WITHIN).await;
    drop(command);
    sleep(Duration::from_secs(1)).await;
    for policy in ["enforce", "report"] {
        let world = world.reboot();
        let agent = world.agent(&AFTER.replace("enforce", policy));
        sleep(Duration::from_secs(5)).await;
        is_before(&world);
        let notes = agent.managing.borrow().meshes[&"bat0".parse().unwrap()].notes.concat();
        assert!(policy == "report" || notes.contains("undone"), "{notes}");
        agent.stop().await;
        if policy == "enforce" {
            // As the first found it.
            let mut entries = std::fs::read_to_string(world.folder.path().join("ledger.json")).unwrap();
            entries = entries.replace("\"reached\":true", "\"reached\":false");
            std::fs::write(world.folder.path().join("ledger.json"), entries).unwrap();
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_mesh_that_was_not_there_before_is_not_there_after() {
    let world = World::new();
    let before = world.sim().state();
    let agent = world.agent("[mesh.bat0]\npolicy = \"report\"\nhop_penalty = 77\n");
    assert_eq!(agent.ask(apply(Some(5_000))).await.code, Code::Done);
    assert!(world.penalty("bat0").is_some());
    sleep(Duration::from_secs(10)).await;
    assert_eq!(world.sim().state(), before);
}

#[tokio::test(start_paused = true)]
async fn a_way_back_that_cannot_be_gone_to_its_end_is_gone_once() {
    let world = set_up().await;
    let agent = world.agent(&AFTER.replace("enforce", "report"));
    let after = Request::Apply {
        config: Written {
            path: "/nowhere/agent.toml".into(),
            text: AFTER.replace("enforce", "report"),
        },
        recreate: false,
        confirm_within_ms: Some(5_000),
    };
    assert_eq!(agent.ask(after).await.code, Code::Done);
    let join = crate::actuate::Knob::interface(&"eth1".parse().unwrap(), crate::actuate::Setting::Master);
    let busy = crate::actuate::WriteError::Refused("busy".to_owned());
    world.sim().failing.insert(join, busy);
    sleep(Duration::from_secs(10)).await;
    assert_eq!(world.penalty("bat0"), penalty(15), "the rest of it is undone");
    let notes = agent.managing.borrow().meshes[&"bat0".parse().unwrap()].notes.concat();
    assert!(notes.contains("not all of it"), "{notes}");
    let writes = world.sim().writes.len();
    world.set_penalty("bat0", 99);
    sleep(Duration::from_secs(1_000)).await;
    assert_eq!(world.sim().writes.len(), writes, "the policy is to report");
    agent.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_member_that_is_gone_does_not_keep_the_way_back_open() {
    let world = set_up().await;
    let mut command = world.manager(AFTER);
    command.apply_wishes(wishes(AFTER), WITHIN).await;
    world.sim().interfaces.remove(&"eth1".parse::<IfName>().unwrap());
    sleep(Duration::from_secs(121)).await;
    command.go_back().await;
    assert_eq!(world.penalty("bat0"), penalty(15));
    assert!(command.is_back());
}

#[tokio::test(start_paused = true)]
async fn what_was_undone_stays_undone_where_an_apply_could_do_nothing() {
    let world = set_up().await;
    let mut command = world.manager(AFTER);
    command.apply_wishes(wishes(AFTER), WITHIN).await;
    sleep(Duration::from_secs(121)).await;
    command.go_back().await;
    is_before(&world);
    let set_other_master = |other: Option<&str>| {
        let eth2: IfName = "eth2".parse().unwrap();
        let other = other.map(|name| name.parse().unwrap());
        world.sim().interfaces.get_mut(&eth2).unwrap().other_master = other;
    };
    set_other_master(Some("br0"));
    assert_eq!(
        command.apply_wishes(wishes(AFTER), How::default()).await.code,
        Code::Failed
    );
    drop(command);
    set_other_master(None);
    let agent = world.agent(AFTER);
    sleep(Duration::from_secs(60)).await;
    is_before(&world);
    agent.stop().await;
}

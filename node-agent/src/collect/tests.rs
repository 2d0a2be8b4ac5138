use super::*;

fn ifname(name: &str) -> IfName {
    name.parse().unwrap()
}

/// Runs on kernels with batman-adv and without.
#[tokio::test]
async fn a_missing_mesh_interface_is_a_fact_of_the_sample() {
    let mut collector = Collector::new([ifname("no-such-bat")]);
    let sample = collector.sample().await;
    let fault = sample.meshes[&ifname("no-such-bat")].as_ref().unwrap_err();
    assert!(fault.is_absence(), "{fault}");
    assert_eq!(host::module_loaded(), *fault == Fault::NoInterface);
    assert!(sample.boottime_ns > 0);
}

#[tokio::test]
async fn an_interface_of_another_kind_is_named_as_such() {
    let mut collector = Collector::new([ifname("lo"), ifname("no-such-bat")]);
    let sample = collector.sample().await;
    assert_eq!(
        sample.meshes[&ifname("lo")],
        Err(Fault::OtherKind(String::new())),
        "one bad name must not hide the other"
    );
    assert_eq!(sample.meshes.len(), 2);
}

#[tokio::test]
async fn sockets_are_reused() {
    let mut collector = Collector::new([ifname("no-such-bat")]);
    collector.sample().await;
    let before = std::fs::read_dir("/proc/self/fd").unwrap().count();
    for _ in 0..8 {
        collector.sample().await;
    }
    assert!(collector.sockets.is_some());
    assert!(
        std::fs::read_dir("/proc/self/fd").unwrap().count() < before + 8,
        "each sample opened a socket"
    );
}

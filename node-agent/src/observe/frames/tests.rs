use super::*;

fn count(since_boottime_ns: u64, packets: u64) -> ebpf::TrafficCount {
    ebpf::TrafficCount {
        ifindex: 3,
        since_boottime_ns,
        direction: ebpf::Direction::Ingress,
        packet_type: PacketType::Bcast,
        packets,
        bytes: packets * 100,
    }
}

fn packets(frames: &mut Frames, counts: &[ebpf::TrafficCount]) -> Vec<u64> {
    frames.add_up(counts).iter().map(|count| count.packets).collect()
}

#[test]
fn counts_go_on_across_attachments() {
    let mut frames = Frames::default();
    frames.follow(&[(3, "eth0".to_owned())].into());
    assert_eq!(packets(&mut frames, &[count(1, 10)]), [10]);
    assert_eq!(packets(&mut frames, &[count(1, 12)]), [12]);
    assert_eq!(packets(&mut frames, &[count(2, 5)]), [17]);
    assert_eq!(packets(&mut frames, &[]), [17], "not attached for a while");
    assert_eq!(packets(&mut frames, &[count(2, 6)]), [18]);
}

#[test]
fn an_interface_that_is_gone_or_renamed_is_let_go() {
    let mut frames = Frames::default();
    assert!(
        frames
            .follow(&[(3, "eth0".to_owned()), (4, "eth1".to_owned())].into())
            .is_empty()
    );
    assert_eq!(frames.follow(&[(3, "lan0".to_owned())].into()), [3, 4]);
    assert_eq!(frames.follow(&BTreeMap::new()), [3]);
    assert!(packets(&mut frames, &[count(1, 10)]).is_empty());
}

#[test]
fn an_interface_plugged_in_again_goes_on_where_it_was() {
    let mut frames = Frames::default();
    frames.follow(&[(2, "usb0".to_owned())].into());
    assert_eq!(
        packets(
            &mut frames,
            &[ebpf::TrafficCount {
                ifindex: 2,
                ..count(1, 10)
            }]
        ),
        [10]
    );
    frames.follow(&BTreeMap::new());
    frames.follow(&[(3, "usb0".to_owned())].into());
    assert_eq!(packets(&mut frames, &[count(2, 1)]), [11]);
}

use netlink_packet_route::link::{InfoBatAdv, InfoData, InfoKind, LinkInfo};

use super::*;

#[test]
fn a_mesh_interface_is_made_with_its_algorithm() {
    let message = mesh("bat7", Some("BATMAN_V"));
    assert!(message.attributes.contains(&LinkAttribute::IfName("bat7".to_owned())));
    let info = LinkAttribute::LinkInfo(vec![
        LinkInfo::Kind(InfoKind::BatAdv),
        LinkInfo::Data(InfoData::BatAdv(vec![InfoBatAdv::AlgoName("BATMAN_V".to_owned())])),
    ]);
    assert!(message.attributes.contains(&info), "{message:?}");
}

#[test]
fn up_and_down_touch_no_other_flag() {
    for (up, flags) in [(true, LinkFlags::Up), (false, LinkFlags::empty())] {
        let message = message(3, LinkChange::Up(up));
        assert_eq!(message.header.change_mask, LinkFlags::Up);
        assert_eq!(message.header.flags, flags);
        assert!(message.attributes.is_empty());
    }
}

#[test]
fn what_is_not_meant_is_not_touched() {
    for (change, attribute) in [
        (LinkChange::Mtu(1532), LinkAttribute::Mtu(1532)),
        (
            LinkChange::Address(MacAddr([2, 0, 0, 0, 0, 1])),
            LinkAttribute::Address(vec![2, 0, 0, 0, 0, 1]),
        ),
        (LinkChange::Master(Some(7)), LinkAttribute::Controller(7)),
        (LinkChange::Master(None), LinkAttribute::Controller(0)),
    ] {
        let message = message(3, change);
        assert_eq!(message.header.index, 3);
        assert!(message.header.change_mask.is_empty());
        assert_eq!(message.attributes, [attribute]);
    }
}

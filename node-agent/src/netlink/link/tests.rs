use super::*;

fn message(index: u32, attributes: Vec<LinkAttribute>) -> LinkMessage {
    let mut message = LinkMessage::default();
    message.header.index = index;
    message.attributes = attributes;
    message
}

#[test]
fn a_mesh_interface_is_known_by_its_kind() {
    let link = Link::from_message(message(
        7,
        vec![
            LinkAttribute::IfName("bat0".to_owned()),
            LinkAttribute::LinkInfo(vec![LinkInfo::Kind(InfoKind::BatAdv)]),
        ],
    ))
    .unwrap();
    assert!(link.is_batadv());
    assert_eq!(link.ifindex, 7);
}

#[test]
fn an_interface_without_a_six_byte_address_has_none() {
    let link = Link::from_message(message(
        3,
        vec![
            LinkAttribute::IfName("tun0".to_owned()),
            LinkAttribute::Address(Vec::new()),
        ],
    ))
    .unwrap();
    assert_eq!(link.address, None);
    assert!(!link.is_batadv());
}

#[test]
fn the_permanent_address_stays_when_the_address_is_changed() {
    let attributes = vec![
        LinkAttribute::IfName("eth0".to_owned()),
        LinkAttribute::Address(vec![2, 0, 0, 0, 0, 9]),
        LinkAttribute::PermAddress(vec![2, 0, 0, 0, 0, 1]),
    ];
    let link = Link::from_message(message(3, attributes)).unwrap();
    assert_eq!(link.address, Some(MacAddr([2, 0, 0, 0, 0, 9])));
    assert_eq!(link.permanent, Some(MacAddr([2, 0, 0, 0, 0, 1])));
}

#[test]
fn a_message_without_a_name_is_no_interface() {
    assert_eq!(Link::from_message(message(3, Vec::new())), None);
}

#[test]
fn a_vlan_is_known_by_its_parent_and_tag() {
    let vlan = |protocol| {
        let data = LinkInfo::Data(InfoData::Vlan(vec![InfoVlan::Protocol(protocol), InfoVlan::Id(10)]));
        let attributes = vec![
            LinkAttribute::IfName("bat0.10".to_owned()),
            LinkAttribute::Link(7),
            LinkAttribute::LinkInfo(vec![LinkInfo::Kind(InfoKind::Vlan), data]),
        ];
        Link::from_message(message(8, attributes)).unwrap()
    };
    let link = vlan(VlanProtocol::Ieee8021Q);
    assert_eq!((link.parent, link.vlan), (Some(7), Some(10)));
    assert_eq!(
        vlan(VlanProtocol::Ieee8021Ad).vlan,
        None,
        "batman-adv knows 802.1Q alone"
    );
}

#[test]
fn a_parent_in_another_namespace_is_none_here() {
    let attributes = vec![
        LinkAttribute::IfName("eth0".to_owned()),
        LinkAttribute::Link(7),
        LinkAttribute::LinkNetNsId(0),
    ];
    assert_eq!(Link::from_message(message(8, attributes)).unwrap().parent, None);
}

#[test]
fn absence_is_not_believed_of_a_list_that_changed() {
    let answer = |interrupted| Answer {
        interrupted,
        ..Answer::default()
    };
    assert!(matches!(answer(true).whole(), Err(LinkError::Unsteady)));
    assert!(answer(false).whole().is_ok());
}

#[test]
fn addresses_the_kernel_gives_itself_do_not_count() {
    let on = |address: &str| {
        let mut message = AddressMessage::default();
        message.header.index = 7;
        message.attributes = vec![AddressAttribute::Address(address.parse().unwrap())];
        carrier(RouteNetlinkMessage::NewAddress(message))
    };
    assert_eq!(on("10.0.0.1"), Some(7));
    assert_eq!(on("fd00::1"), Some(7));
    assert_eq!(on("fe80::1"), None);
}

#[tokio::test]
async fn without_an_interface_nothing_can_be_changed() {
    let (connection, handle) = new_connection().unwrap();
    tokio::spawn(connection);
    let error = handle.change(0x7fff_ffff, LinkChange::Mtu(1500)).await.unwrap_err();
    let LinkError::Kernel { errno, .. } = error else {
        panic!("{error}");
    };
    assert!(matches!(errno, libc::ENODEV | libc::EPERM), "{errno}");
}

#[tokio::test]
async fn this_machine_has_a_loopback_and_no_such_interface() {
    let (connection, handle) = new_connection().unwrap();
    tokio::spawn(connection);
    let listed = handle.whole_list().await.unwrap();
    assert_eq!(handle.list().await.unwrap().len(), listed.len());
    assert!(listed.iter().any(|link| link.ifname == "lo"), "{listed:?}");
    assert_eq!(handle.by_name("lo").await.unwrap().unwrap().ifname, "lo");
    assert_eq!(handle.by_name("no-such-if").await.unwrap(), None);
    let lo = listed.iter().find(|link| link.ifname == "lo").unwrap();
    assert!(!lo.ethernet);
    assert_eq!(handle.with_addresses().await.unwrap().contains(&lo.ifindex), lo.up);
}

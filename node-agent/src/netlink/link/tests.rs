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
fn a_message_without_a_name_is_no_interface() {
    assert_eq!(Link::from_message(message(3, Vec::new())), None);
}

#[tokio::test]
async fn this_machine_has_a_loopback_and_no_such_interface() {
    let (connection, handle) = new_connection().unwrap();
    tokio::spawn(connection);
    let listed = handle.list().await.unwrap();
    assert!(listed.iter().any(|link| link.ifname == "lo"), "{listed:?}");
    assert_eq!(handle.by_name("lo").await.unwrap().unwrap().ifname, "lo");
    assert_eq!(handle.by_name("no-such-if").await.unwrap(), None);
}

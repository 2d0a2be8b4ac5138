use super::*;

/// A family's message, as it travels.
fn message(kind: u16, command: u8, attributes: &[u8]) -> Vec<u8> {
    let header = GenlHeader {
        cmd: command,
        version: 1,
    };
    let mut message = NetlinkMessage::from(RawGenlMessage::new(header, attributes.to_vec(), kind));
    message.finalize();
    let mut bytes = vec![0; message.buffer_len()];
    message.serialize(&mut bytes);
    bytes
}

fn attribute(kind: u16, value: &[u8]) -> Vec<u8> {
    let mut bytes = u16::try_from(4 + value.len()).unwrap().to_ne_bytes().to_vec();
    bytes.extend(kind.to_ne_bytes());
    bytes.extend(value);
    bytes.resize(bytes.len().next_multiple_of(4), 0);
    bytes
}

/// The controller's words of a family with the two groups batman-adv has.
fn family(command: u8, name: &str) -> Vec<u8> {
    let group = |index: u16, name: &str, id: u32| {
        let inside = [
            attribute(GROUP_ID, &id.to_ne_bytes()),
            attribute(GROUP_NAME, format!("{name}\0").as_bytes()),
        ];
        attribute(index, &inside.concat())
    };
    let attributes = [
        attribute(FAMILY_NAME, format!("{name}\0").as_bytes()),
        attribute(FAMILY_ID, &33_u16.to_ne_bytes()),
        attribute(3, &1_u32.to_ne_bytes()),
        attribute(GROUPS, &[group(1, "config", 11), group(2, "tpmeter", 12)].concat()),
    ];
    message(CONTROLLER, command, &attributes.concat())
}

/// Attributes of a mesh interface, a member and a VLAN; the kernel's VLAN id has 32 bits.
fn place() -> Vec<u8> {
    [
        attribute(3, &7_u32.to_ne_bytes()),
        attribute(6, &4_u32.to_ne_bytes()),
        attribute(40, &10_u32.to_ne_bytes()),
    ]
    .concat()
}

#[test]
fn what_is_set_is_named_with_its_place() {
    for (command, expected) in [
        (15, ConfigEvent::Mesh { mesh_ifindex: 7 }),
        (
            16,
            ConfigEvent::HardInterface {
                mesh_ifindex: 7,
                hard_ifindex: 4,
            },
        ),
        (
            18,
            ConfigEvent::Vlan {
                mesh_ifindex: 7,
                vid: 10,
            },
        ),
    ] {
        assert_eq!(read(&message(33, command, &place()), Some(33)), [Said::Event(expected)]);
    }
}

#[test]
fn what_belongs_to_another_family_or_lacks_its_place_is_nothing() {
    assert_eq!(read(&message(34, 15, &place()), Some(33)), [Said::Nothing]);
    assert_eq!(read(&message(33, 15, &place()), None), [Said::Nothing]);
    assert_eq!(read(&message(33, 15, &[]), Some(33)), [Said::Nothing]);
    let mesh_alone = attribute(3, &7_u32.to_ne_bytes());
    assert_eq!(read(&message(33, 16, &mesh_alone), Some(33)), [Said::Nothing]);
}

#[test]
fn the_family_comes_with_its_group_and_goes() {
    let both = [family(NEW_FAMILY, "batadv"), family(DEL_FAMILY, "batadv")].concat();
    assert_eq!(
        read(&both, None),
        [
            Said::Family {
                id: 33,
                config: Some(11)
            },
            Said::FamilyGone
        ]
    );
    assert_eq!(read(&family(NEW_FAMILY, "nl80211"), None), [Said::Nothing]);
}

#[test]
fn no_bytes_panic() {
    let whole = [family(NEW_FAMILY, "batadv"), message(33, 18, &place())].concat();
    for cut in 0..whole.len() {
        read(&whole[..cut], Some(33));
        let mut wrong = whole.clone();
        wrong[cut] ^= 0xff;
        read(&wrong, Some(33));
    }
}

/// With the module and without. On this machine's own list of families, as it is.
#[tokio::test]
async fn listening_begins_whether_the_module_is_loaded_or_not() {
    let loaded = std::path::Path::new("/sys/module/batman_adv").exists();
    let events = ConfigEvents::open().unwrap();
    assert_eq!(events.family.is_some(), loaded);
}

use mesh_proto::model::MacAddr;

use super::*;
use crate::netlink::batadv::BatadvEntry;

/// Values that no other setting of a test has, so that settings exchanged would be found.
fn values(flag: bool, number: u32) -> Value {
    if flag { Value::Flag(true) } else { Value::Number(number) }
}

#[test]
fn every_setting_of_a_mesh_interface_reads_back_as_written() {
    for (at, setting) in (11..).zip(MeshSetting::ALL) {
        let value = values(setting.is_flag(), at);
        let attributes = vec![BatadvAttr::MeshIfindex(7), to_mesh(setting, &value).unwrap()];
        let mesh = Mesh::from_attributes(attributes).unwrap();
        assert!(mesh.others.is_empty(), "{setting:?} is not read");
        for other in MeshSetting::ALL {
            let expected = (other == setting).then(|| value.clone());
            assert_eq!(of_mesh(other, &mesh), expected, "{other:?} after writing {setting:?}");
        }
    }
}

#[test]
fn every_setting_of_a_member_reads_back_as_written() {
    for (at, setting) in (11..).zip(HardSetting::ALL) {
        let value = Value::Number(at);
        let attributes = vec![
            BatadvAttr::HardIfindex(4),
            BatadvAttr::HardIfname("eth1".to_owned()),
            BatadvAttr::HardAddress(MacAddr([2, 0, 0, 0, 0, 1])),
            to_hard(setting, &value).unwrap(),
        ];
        let member = HardInterface::from_attributes(attributes).unwrap();
        for other in HardSetting::ALL {
            let expected = (other == setting).then(|| value.clone());
            assert_eq!(of_hard(other, &member), expected, "{other:?} after writing {setting:?}");
        }
    }
}

#[test]
fn a_vlans_isolation_reads_back_as_written() {
    for flag in [false, true] {
        let value = Value::Flag(flag);
        let BatadvAttr::ApIsolationEnabled(raw) = to_vlan(&value).unwrap() else {
            panic!("another attribute");
        };
        let vlan = Vlan {
            vid: 10,
            ap_isolation: Some(raw),
        };
        assert_eq!(of_vlan(&vlan), Some(value));
    }
}

#[test]
fn what_does_not_fit_is_not_written() {
    let too_much = Value::Number(256);
    assert_eq!(to_mesh(MeshSetting::HopPenalty, &too_much), None);
    assert_eq!(to_hard(HardSetting::HopPenalty, &too_much), None);
    assert_eq!(to_mesh(MeshSetting::Bonding, &Value::Number(1)), None);
    assert_eq!(to_vlan(&Value::Number(1)), None);
}

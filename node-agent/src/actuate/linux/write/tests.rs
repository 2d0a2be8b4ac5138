use std::io;

use super::*;
use crate::actuate::{InterfaceFact, MeshSetting};
use crate::netlink::batadv::BatadvCommand;

#[test]
fn refusals_are_told_apart() {
    let of_link = |errno| {
        let source = io::Error::from_raw_os_error(errno);
        WriteError::from(Failure::Link(LinkError::Kernel { errno, source }))
    };
    assert_eq!(of_link(libc::EPERM), WriteError::Denied);
    assert_eq!(of_link(libc::ENODEV), WriteError::Gone);
    assert!(matches!(of_link(libc::EOPNOTSUPP), WriteError::Unsupported(_)));
    assert!(matches!(of_link(libc::EINVAL), WriteError::Refused(_)));
    let of_batadv = |error| WriteError::from(Failure::Batadv(error));
    let command = BatadvCommand::SetVlan;
    assert_eq!(of_batadv(BatadvError::Denied(command)), WriteError::Denied);
    assert_eq!(of_batadv(BatadvError::NoSuchVlan(command)), WriteError::Gone);
    let source = io::Error::other("integer out of range (Numerical result out of range)");
    let kept = of_batadv(BatadvError::Kernel { command, source });
    assert!(kept.to_string().contains("integer out of range"), "{kept}");
}

#[test]
fn a_fault_of_the_socket_is_known_as_one() {
    assert!(Failure::from(WriteError::TimedOut(5)).is_of_the_socket());
    assert!(Failure::Batadv(BatadvError::Disconnected).is_of_the_socket());
    assert!(!Failure::from(WriteError::Gone).is_of_the_socket());
}

/// What must be refused before the kernel is asked, and what it must say of an interface that is not there.
#[tokio::test]
async fn nothing_is_done_to_what_is_not_what_the_knob_says() {
    let sockets = Sockets::open(None).unwrap();
    let lo: IfName = "lo".parse().unwrap();
    let none: IfName = "no-such-if".parse().unwrap();
    for (knob, value, refusal) in [
        (Knob::mesh(&lo, Setting::Algorithm), None, "no mesh interface"),
        (
            Knob::mesh(&lo, Setting::Algorithm),
            Some(Value::Algorithm("BATMAN_V".to_owned())),
            "no mesh interface",
        ),
        (
            Knob::mesh(&lo, Setting::Up),
            Some(Value::Flag(false)),
            "no mesh interface",
        ),
        (
            Knob::mesh(&none, Setting::Mesh(MeshSetting::HopPenalty)),
            Some(Value::Number(256)),
            "cannot be 256",
        ),
        (
            Knob::interface(&lo, Setting::Mtu),
            Some(Value::Flag(true)),
            "cannot be true",
        ),
        (Knob::interface(&lo, Setting::Mtu), None, "cannot be taken away"),
        (Knob::interface(&none, Setting::Mtu), Some(Value::Number(1532)), "gone"),
        (Knob::vlan(&none, 10), Some(Value::Flag(true)), "gone"),
        (Knob::interface(&none, Setting::Master), None, "gone"),
    ] {
        let failure = write(&sockets, &knob, value.as_ref(), &Observed::default())
            .await
            .unwrap_err();
        let said = WriteError::from(failure).to_string();
        assert!(said.contains(refusal), "{knob}: {said}");
    }
    let knob = Knob::mesh(&none, Setting::Algorithm);
    let absent = write(&sockets, &knob, None, &Observed::default()).await;
    assert!(absent.is_ok(), "it is not there already: {absent:?}");
}

#[test]
fn only_the_mesh_interface_that_was_seen_is_deleted() {
    let bat: IfName = "bat0".parse().unwrap();
    let mut now = Observed::default();
    let refusal = |found, now: &Observed| to_delete(&bat, Some(found), now).unwrap_err().to_string();
    assert_eq!(to_delete(&bat, None, &now), Ok(None));
    assert!(
        refusal(7, &now).contains("made meanwhile"),
        "it was planned as a new one"
    );
    let fact = InterfaceFact {
        ifindex: 7,
        ..InterfaceFact::default()
    };
    now.facts.interfaces.insert(bat.clone(), fact);
    assert!(refusal(7, &now).contains("made meanwhile"), "it could not be read");
    let algorithm = Value::Algorithm("BATMAN_IV".to_owned());
    now.state.knobs.insert(Knob::mesh(&bat, Setting::Algorithm), algorithm);
    assert_eq!(to_delete(&bat, Some(7), &now), Ok(Some(7)));
    assert!(refusal(8, &now).contains("made anew meanwhile"));
    assert_eq!(to_delete(&bat, None, &now), Ok(None));
}

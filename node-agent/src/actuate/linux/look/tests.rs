use super::*;

#[test]
fn one_that_refuses_does_not_stop_the_others_and_a_broken_socket_does() {
    let refused = || refused("GetMesh failed");
    assert_eq!(bearable(refused(), false).unwrap(), "GetMesh failed");
    assert!(
        matches!(bearable(Missed::Moved, false), Err(Missed::Moved)),
        "it is looked again first"
    );
    assert!(bearable(Missed::Moved, true).is_ok());
    let timed_out = bearable(timed_out(5), true);
    assert!(matches!(timed_out, Err(Missed::Failed(ReadError::TimedOut(5)))));
}

use super::*;

fn refused(code: Code, newest: Option<&str>) -> Status {
    let mut status = Status::new(code, "refused");
    if let Some(newest) = newest {
        status.metadata_mut().insert(LAST_INCARNATION, newest.parse().unwrap());
    }
    status
}

#[test]
fn a_refusal_for_age_is_known_by_its_number() {
    let newest = |code, text| match close(&refused(code, text)) {
        Close::Outdated { newest } => Some(newest),
        Close::Lost { .. } => None,
    };
    assert_eq!(newest(Code::FailedPrecondition, Some("41")), Some(Some(41)));
    assert_eq!(newest(Code::Aborted, None), Some(None));
    assert_eq!(newest(Code::FailedPrecondition, None), None);
    assert_eq!(newest(Code::FailedPrecondition, Some("-1")), None);
    assert_eq!(newest(Code::PermissionDenied, Some("41")), None);
}

#[test]
fn another_refusal_is_told_in_the_collectors_words() {
    let Close::Lost { reason } = close(&refused(Code::PermissionDenied, None)) else {
        panic!("taken for an outdated session");
    };
    assert_eq!(reason, "PermissionDenied: refused");
}

#[test]
fn a_message_of_unknown_kind_is_passed_over_and_a_malformed_welcome_is_refused() {
    assert!(input(pb::StreamResponse::default()).unwrap().is_none());
    let kind = Some(pb::stream_response::Kind::Welcome(pb::Welcome::default()));
    assert!(input(pb::StreamResponse { kind }).is_err());
}

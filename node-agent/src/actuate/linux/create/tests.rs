use super::*;

#[test]
fn the_modules_parameter_is_restored() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("routing_algo");
    fs::write(&path, "BATMAN_IV\n").unwrap();
    let parameter = Parameter::set(&path, "BATMAN_V").unwrap();
    assert_eq!(fs::read_to_string(&path).unwrap(), "BATMAN_V");
    drop(parameter);
    assert_eq!(fs::read_to_string(&path).unwrap(), "BATMAN_IV");
}

#[test]
fn a_parameter_that_cannot_be_set_says_what_to_do() {
    let error = Parameter::set(Path::new("/nonexistent/routing_algo"), "BATMAN_V").unwrap_err();
    assert!(
        error.to_string().contains("echo BATMAN_V > /nonexistent/routing_algo"),
        "{error}"
    );
}

#[test]
fn an_algorithm_the_kernel_refuses_is_named() {
    let refused = |errno| {
        let source = io::Error::from_raw_os_error(errno);
        let failure = explain(Failure::Link(LinkError::Kernel { errno, source }), "BATMAN_X");
        WriteError::from(failure).to_string()
    };
    assert!(refused(libc::EINVAL).contains("BATMAN_X"));
    assert!(refused(libc::EOPNOTSUPP).contains("install"));
    assert_eq!(refused(libc::EPERM), WriteError::Denied.to_string());
}

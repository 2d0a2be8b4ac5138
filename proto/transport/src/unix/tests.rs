use std::os::unix::net::UnixListener as StdListener;

use futures_util::StreamExt as _;

use super::*;

fn settings(folder: &Path) -> UnixSettings {
    UnixSettings {
        path: folder.join("collector.sock"),
        mode: 0o660,
        group: None,
    }
}

#[tokio::test]
async fn a_process_of_our_own_user_comes_in_as_an_operator_under_its_name() {
    let folder = tempfile::tempdir().unwrap();
    let settings = settings(folder.path());
    let mut incoming = listen_unix(&settings).unwrap();
    assert_eq!(
        std::fs::metadata(&settings.path).unwrap().permissions().mode() & 0o777,
        0o660
    );
    let _client = UnixStream::connect(&settings.path).await.unwrap();
    let Ok(connection) = incoming.next().await.unwrap();
    let uid = Uid::effective();
    let name = User::from_uid(uid)
        .unwrap()
        .map_or(format!("uid-{uid}"), |user| user.name);
    assert_eq!(connection.peer().role, Role::Operator(name));
    let expected = Remote::Unix {
        uid: uid.as_raw(),
        pid: Some(std::process::id().try_into().unwrap()),
    };
    assert_eq!(connection.peer().remote, expected);
}

#[tokio::test]
async fn the_socket_of_a_dead_process_is_replaced() {
    let folder = tempfile::tempdir().unwrap();
    let settings = settings(folder.path());
    drop(StdListener::bind(&settings.path).unwrap());
    assert!(settings.path.exists());
    let mut incoming = listen_unix(&settings).unwrap();
    let _client = UnixStream::connect(&settings.path).await.unwrap();
    assert!(incoming.next().await.is_some());
}

#[tokio::test]
async fn the_socket_of_a_living_process_is_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let settings = settings(folder.path());
    let living = StdListener::bind(&settings.path).unwrap();
    assert!(matches!(listen_unix(&settings), Err(UnixError::InUse(_))));
    std::os::unix::net::UnixStream::connect(&settings.path).unwrap();
    drop(living);
}

#[tokio::test]
async fn a_file_that_is_no_socket_is_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let settings = settings(folder.path());
    std::fs::write(&settings.path, "mine").unwrap();
    assert!(matches!(listen_unix(&settings), Err(UnixError::NotASocket(_))));
    assert_eq!(std::fs::read_to_string(&settings.path).unwrap(), "mine");
}

#[tokio::test]
async fn an_unknown_group_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let mut settings = settings(folder.path());
    settings.group = Some("no-such-group-here".to_owned());
    let error = listen_unix(&settings).unwrap_err();
    assert!(error.to_string().contains("no-such-group-here"), "{error}");
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
}

#[tokio::test]
async fn nothing_stays_when_the_listener_goes_except_a_successors_socket() {
    let folder = tempfile::tempdir().unwrap();
    let settings = settings(folder.path());
    let (listener, file) = bind(&settings).unwrap();
    drop((listener, file));
    assert!(!settings.path.exists());

    let (_listener, file) = bind(&settings).unwrap();
    std::fs::remove_file(&settings.path).unwrap();
    let _successor = StdListener::bind(&settings.path).unwrap();
    drop(file);
    assert!(settings.path.exists());
}

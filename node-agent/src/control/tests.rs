use std::io::{Read as _, Write as _};
use std::net::Shutdown;
use std::os::unix::net::UnixStream as Client;

use super::*;
use crate::status::Managing;

fn status() -> Status {
    Status {
        version: "1".into(),
        name: "tower".into(),
        spiffe_id: None,
        uplink: String::new(),
        managing: Managing::default(),
        snapshot: mesh_proto::model::Snapshot::default(),
    }
}

/// The socket, served by a writer that says what it was asked.
async fn served() -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("agent.sock");
    let control = Control::bind(&path).unwrap();
    let (asked, mut asking) = mpsc::channel::<Asked>(1);
    tokio::spawn(control.serve(status, asked));
    tokio::spawn(async move {
        while let Some((request, to)) = asking.recv().await {
            let _gone = to.send(Answer::done(format!("{request:?}")));
        }
    });
    (folder, path)
}

async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    tokio::task::spawn_blocking(work).await.unwrap()
}

fn says(path: &Path, bytes: &[u8], end: bool) -> String {
    let mut stream = Client::connect(path).unwrap();
    // The agent may end it before it has heard all.
    let _too_much = stream.write_all(bytes);
    if end {
        stream.shutdown(Shutdown::Write).unwrap();
    }
    let mut text = Vec::new();
    let _reset = stream.read_to_end(&mut text);
    String::from_utf8(text).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn who_says_nothing_gets_the_status() {
    let (_folder, path) = served().await;
    for end in [true, false] {
        let path = path.clone();
        let text = blocking(move || says(&path, b"", end)).await;
        assert_eq!(serde_json::from_str::<Status>(&text).unwrap(), status());
    }
    assert_eq!(blocking(move || ask(&path).unwrap()).await, status());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_changes_the_mesh_is_asked_of_the_one_who_writes() {
    let (_folder, path) = served().await;
    let apply = Request::Apply {
        config: Written {
            path: "a.toml".into(),
            text: "[mesh.bat0]\n\"\u{1f987}".into(),
        },
        recreate: true,
        confirm_within_ms: Some(5),
    };
    let expected = format!("{apply:?}");
    let answer = blocking(move || request(&path, &apply).unwrap()).await;
    assert_eq!(answer, Answer::done(expected));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_understood_or_too_long_is_answered_and_harms_nobody() {
    let (_folder, path) = served().await;
    for (bytes, said) in [
        (b"{\"ask\":\"everything\"}\n".to_vec(), "not understood"),
        (b"\xff\xfe\n".to_vec(), "not understood"),
        (b"{\"ask\":\"confirm\"".to_vec(), "not understood"),
        (vec![b' '; MOST_BYTES + 1], "shorten"),
    ] {
        let path = path.clone();
        let text = blocking(move || says(&path, &bytes, true)).await;
        assert!(text.contains(said), "{text:?}");
    }
    assert_eq!(blocking(move || ask(&path).unwrap()).await, status());
}

#[tokio::test(flavor = "multi_thread")]
async fn one_who_keeps_silent_halfway_does_not_hold_up_another() {
    let (_folder, path) = served().await;
    let silent: Vec<_> = (0..AT_ONCE - 1)
        .map(|_| {
            let mut stream = Client::connect(&path).unwrap();
            stream.write_all(b"{").unwrap();
            stream
        })
        .collect();
    assert_eq!(blocking(move || ask(&path).unwrap()).await, status());
    drop(silent);
}

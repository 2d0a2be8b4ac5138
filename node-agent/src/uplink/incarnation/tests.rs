use super::*;

fn file(folder: &tempfile::TempDir) -> IncarnationFile {
    IncarnationFile::new(folder.path().join("state/incarnation"))
}

#[test]
fn each_start_is_one_more_than_the_last() {
    let folder = tempfile::tempdir().unwrap();
    assert_eq!([(); 3].map(|()| file(&folder).raise()), [1, 2, 3]);
}

#[test]
fn an_adopted_number_is_kept() {
    let folder = tempfile::tempdir().unwrap();
    file(&folder).raise();
    file(&folder).save(41);
    assert_eq!(file(&folder).raise(), 42);
}

#[test]
fn a_file_without_a_number_is_set_aside() {
    for text in [&b"12x\n"[..], b"", b"\xff\xfe", b"-1", b"18446744073709551615"] {
        let folder = tempfile::tempdir().unwrap();
        let file = file(&folder);
        file.raise();
        fs::write(&file.0, text).unwrap();
        assert_eq!(file.raise(), 1);
        assert_eq!(fs::read(with_suffix(&file.0, ".corrupt")).unwrap(), text);
        assert_eq!(file.raise(), 2);
    }
}

#[test]
fn a_folder_that_cannot_be_written_stops_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let in_the_way = folder.path().join("state");
    fs::write(&in_the_way, "a file").unwrap();
    assert_eq!(file(&folder).raise(), 1);
    assert_eq!(fs::read_to_string(in_the_way).unwrap(), "a file");
}

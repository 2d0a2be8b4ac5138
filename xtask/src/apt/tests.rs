use super::source::{derive, parse_lines, parse_stanzas};

#[test]
fn another_suite_is_derived_from_a_stanza() {
    let text = "Types: deb deb-src\n# a comment\nURIs: http://mirror.example/debian\nSuites: bookworm bookworm-updates\n\
        Components: main contrib\nSigned-By: /usr/share/keyrings/k.gpg\n\n\
        Types: deb\nURIs: http://mirror.example/security\nSuites: bookworm-security\nComponents: main\n";
    let derived = derive(&parse_stanzas(text), "bookworm", "trixie");
    assert_eq!(
        derived,
        [
            "Types: deb\nSuites: trixie\nComponents: main\nURIs: http://mirror.example/debian\n\
          Signed-By: /usr/share/keyrings/k.gpg\n"
        ]
    );
}

#[test]
fn another_suite_is_derived_from_a_line() {
    let text = "# deb http://old.example/debian bookworm main\n\
        deb [arch=amd64,arm64 signed-by=/k.gpg] http://mirror.example/debian bookworm main # note\n\
        deb http://other.example bookworm stable\ndeb-src http://mirror.example/debian bookworm main\n";
    let derived = derive(&parse_lines(text), "bookworm", "trixie");
    assert_eq!(
        derived,
        [
            "Types: deb\nSuites: trixie\nComponents: main\nURIs: http://mirror.example/debian\n\
          Architectures: amd64 arm64\nSigned-By: /k.gpg\n"
        ]
    );
}

#[test]
fn a_key_within_a_stanza_is_kept_whole() {
    let text =
        "Types: deb\nURIs: http://m.example\nSuites: bookworm\nComponents: main\nSigned-By:\n -----BEGIN\n .\n abc\n";
    let derived = derive(&parse_stanzas(text), "bookworm", "trixie");
    assert!(
        derived[0].ends_with("Signed-By: \n -----BEGIN\n .\n abc\n"),
        "{derived:?}"
    );
}

#[test]
fn a_source_that_is_switched_off_is_left_out() {
    let text = "Enabled: no\nTypes: deb\nURIs: http://m.example\nSuites: bookworm\nComponents: main\n";
    assert!(derive(&parse_stanzas(text), "bookworm", "trixie").is_empty());
}

//! Our Workload API server, judged by a client that is not ours: PyPI's `spiffe`.
//!
//! The client is installed once, into `target/tools/venv-spiffe`. Where there is no Python or no package index the tests
//! say so and pass, except where `CI=true`: there they fail.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stderr,
    reason = "a helper that fails is a test that fails; a test that is skipped says so"
)]

use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::OnceLock;
use std::time::Duration;

use anyhow::{Context as _, bail};
use mesh_devca::{DevCa, Settings};

const CLIENT: &str = "spiffe==0.3.2";

/// gRPC's C core names a Unix socket's path, percent-encoded, as the HTTP/2 authority, and the h2 crate refuses that as
/// no valid one. The client is told to say `localhost`; nothing else of it is changed.
const AUTHORITY: &str = r#"
import grpc
plain = grpc.insecure_channel
grpc.insecure_channel = lambda target: plain(target, options=[("grpc.default_authority", "localhost")])
"#;

/// Prints what the client got: IDs, expiry (Unix time) and what else it checked.
const FETCH: &str = r#"
import sys
from spiffe import WorkloadApiClient
with WorkloadApiClient(socket_path=sys.argv[1]) as client:
    context = client.fetch_x509_context()
    svid = context.default_svid
    print("id", svid.spiffe_id)
    print("chain", len(svid.cert_chain))
    print("expiry", int(svid.leaf.not_valid_after_utc.timestamp()))
    for domain in sorted(str(b.trust_domain) for b in context.x509_bundle_set.bundles):
        print("context bundle", domain)
    bundles = client.fetch_x509_bundles()
    for bundle in sorted(bundles.bundles, key=lambda b: str(b.trust_domain)):
        print("bundle", bundle.trust_domain, len(bundle.x509_authorities))
        for authority in bundle.x509_authorities:
            if str(bundle.trust_domain) == svid.spiffe_id.trust_domain.name:
                svid.leaf.verify_directly_issued_by(authority)
                print("issued by it")
"#;

/// Prints the IDs' expiries of the first two messages of the stream.
const STREAM: &str = r#"
import sys, threading
from spiffe import WorkloadApiClient
done, expiries, errors = threading.Event(), [], []
def got(context):
    expiries.append(int(context.default_svid.leaf.not_valid_after_utc.timestamp()))
    if len(expiries) == 2:
        done.set()
def failed(error):
    errors.append(error)
    done.set()
with WorkloadApiClient(socket_path=sys.argv[1]) as client:
    handler = client.stream_x509_contexts(got, failed)
    if not done.wait(30):
        sys.exit("no second message within 30 s")
    handler.cancel()
if errors:
    sys.exit(str(errors[0]))
print("renewed", expiries[1] > expiries[0])
"#;

/// The interpreter with the client, or why there is none.
fn python() -> Option<PathBuf> {
    static PYTHON: OnceLock<Result<PathBuf, String>> = OnceLock::new();
    match PYTHON.get_or_init(|| install().map_err(|error| format!("{error:#}"))) {
        Ok(python) => Some(python.clone()),
        Err(reason) if std::env::var_os("CI").is_some_and(|ci| ci == "true") => {
            panic!("the independent SPIFFE client is required in CI: {reason}")
        }
        Err(reason) => {
            eprintln!("SKIPPED: no independent SPIFFE client: {reason}");
            None
        }
    }
}

fn install() -> anyhow::Result<PathBuf> {
    let tools = Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/tools");
    std::fs::create_dir_all(&tools)?;
    let venv = tools.join("venv-spiffe");
    let python = venv.join("bin/python");
    let installed = venv.join(".installed");
    // Several test processes may come here at once.
    let lock = std::fs::File::create(tools.join("venv-spiffe.lock"))?;
    lock.lock()?;
    if std::fs::read_to_string(&installed).is_ok_and(|text| text == CLIENT) {
        return Ok(python);
    }
    run(Command::new("python3").args(["-m", "venv", "--clear"]).arg(&venv))
        .context("no virtual environment (Debian: apt install python3-venv)")?;
    run(Command::new(&python).args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check", CLIENT]))
        .with_context(|| format!("{CLIENT} could not be installed"))?;
    std::fs::write(installed, CLIENT)?;
    Ok(python)
}

fn run(command: &mut Command) -> anyhow::Result<Output> {
    let output = command
        .output()
        .with_context(|| format!("{} cannot be run", command.get_program().display()))?;
    if !output.status.success() {
        bail!("{}", String::from_utf8_lossy(&output.stderr).trim());
    }
    Ok(output)
}

fn start(folder: &Path, identity: &str, ttl: Duration) -> DevCa {
    DevCa::start(&Settings {
        trust_domain: "mesh.test".to_owned(),
        socket_dir: folder.to_owned(),
        identities: vec![identity.parse().unwrap()],
        ttl,
        exports: Vec::new(),
        bundle: None,
    })
    .unwrap()
}

/// What a script says of an identity's socket.
async fn client(script: &'static str, identity: &str, ttl: Duration) -> Option<anyhow::Result<String>> {
    let python = tokio::task::spawn_blocking(python).await.unwrap()?;
    let folder = tempfile::tempdir().unwrap();
    let ca = start(folder.path(), identity, ttl);
    let name = identity.split(',').next().unwrap();
    let endpoint = ca.endpoint(name).unwrap();
    let output = tokio::task::spawn_blocking(move || {
        let script = format!("{AUTHORITY}{script}");
        run(Command::new(python).args(["-c", &script, &endpoint]))
    })
    .await
    .unwrap();
    Some(output.map(|output| String::from_utf8(output.stdout).unwrap()))
}

const HOUR: Duration = Duration::from_secs(3_600);

#[tokio::test(flavor = "multi_thread")]
async fn host_an_independent_client_gets_an_identity_and_its_bundle() {
    let Some(said) = client(FETCH, "node/gate", HOUR).await else {
        return;
    };
    let said = said.unwrap();
    let (expiry, rest): (Vec<&str>, Vec<&str>) = said.lines().partition(|line| line.starts_with("expiry "));
    assert_eq!(
        rest,
        [
            "id spiffe://mesh.test/node/gate",
            "chain 1",
            "context bundle mesh.test",
            "bundle mesh.test 1",
            "issued by it"
        ]
    );
    assert_eq!(expiry.len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn host_an_independent_client_gets_foreign_bundles_too() {
    let Some(said) = client(FETCH, "node/gate,td=other.test", HOUR).await else {
        return;
    };
    let said = said.unwrap();
    assert!(said.contains("id spiffe://other.test/node/gate\n"), "{said}");
    assert!(
        said.contains("context bundle mesh.test\ncontext bundle other.test\n"),
        "{said}"
    );
    assert!(
        said.contains("bundle mesh.test 1\nbundle other.test 1\nissued by it\n"),
        "{said}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn host_an_independent_client_sees_renewals_as_they_come() {
    let Some(said) = client(STREAM, "node/gate", Duration::from_secs(4)).await else {
        return;
    };
    assert_eq!(said.unwrap(), "renewed True\n");
}

#[tokio::test(flavor = "multi_thread")]
async fn host_an_independent_client_is_told_that_there_is_no_identity() {
    let Some(said) = client(FETCH, "node/gate,denied", HOUR).await else {
        return;
    };
    let error = format!("{:#}", said.unwrap_err());
    assert!(error.to_lowercase().contains("no identity issued"), "{error}");
}

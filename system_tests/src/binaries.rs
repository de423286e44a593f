//! The daemons under test: what `cargo build` makes of the sources as they are now.

use std::{
    path::{Path, PathBuf},
    process::Command,
    sync::OnceLock,
};

/// The folder that holds `sw_listener` and `sw_connector`. `SW_TEST_BIN_DIR` names another one, for tests of a release
/// build or of a changed copy; otherwise they are built here, because cargo builds the binaries of other packages for
/// an integration test only by chance.
///
/// # Panics
/// When they cannot be built.
pub fn folder() -> &'static Path {
    static FOLDER: OnceLock<PathBuf> = OnceLock::new();
    FOLDER.get_or_init(|| match std::env::var_os("SW_TEST_BIN_DIR") {
        Some(folder) => folder.into(),
        None => build(),
    })
}

/// `target/debug/deps/name-hash` → `target/debug`. Of the whole workspace: with fewer packages, dependencies have fewer
/// features, and all above them would be compiled a second time after `cargo test --workspace`.
fn build() -> PathBuf {
    let exe = std::env::current_exe().unwrap();
    let folder = exe.ancestors().nth(2).expect("target/PROFILE/deps/TEST");
    let target = folder.parent().expect("target/PROFILE");
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = Command::new(cargo);
    command
        .args(["build", "--quiet", "--workspace", "--bins"])
        .arg("--target-dir")
        .arg(target)
        .current_dir(Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap());
    if folder.ends_with("release") {
        command.arg("--release");
    }
    let output = command.output().expect("cargo can be run");
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(
        output.status.success(),
        "cannot build the daemons:\n{errors}"
    );
    folder.to_owned()
}

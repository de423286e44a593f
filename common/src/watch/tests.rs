use std::{
    fs,
    future::Future,
    os::unix::fs::{PermissionsExt, symlink},
    path::Path,
};

use tempfile::TempDir;
use tokio::time::timeout;

use super::*;

const SOON: Duration = Duration::from_secs(20);

/// No look comes by itself: what is found was told by the kernel.
const TOLD: Times = Times {
    quiet: Duration::from_millis(100),
    most: Duration::from_millis(1500),
    poll: Duration::from_secs(3600),
};

/// The other way round.
const LOOKED: Times = Times {
    poll: Duration::from_millis(100),
    ..TOLD
};

fn folder() -> TempDir {
    tempfile::tempdir().unwrap()
}

fn told(paths: &[&Path]) -> Watch {
    let paths = paths.iter().map(|path| (*path).to_owned());
    let notices = Notices::new().expect("inotify");
    Watch::with(paths, TOLD, Some(Arc::new(notices)))
}

fn looking(path: &Path) -> Watch {
    Watch::with([path.to_owned()], LOOKED, None)
}

async fn expect(watch: &mut Watch, what: &str) {
    let changed = timeout(SOON, watch.changed()).await;
    assert!(changed.is_ok(), "not noticed: {what}");
}

/// A change of something else must not be told; the following one of the file must, and once.
async fn expect_nothing(watch: &mut Watch, what: &str) {
    let silence = timeout(4 * TOLD.quiet, watch.changed()).await;
    assert!(silence.is_err(), "told without a change: {what}");
}

fn replace(path: &Path, content: &str) {
    let new = path.with_extension("new");
    fs::write(&new, content).unwrap();
    fs::rename(new, path).unwrap();
}

fn point(link: &Path, target: &str) {
    let new = link.with_file_name("link");
    symlink(target, &new).unwrap();
    fs::rename(new, link).unwrap();
}

#[tokio::test]
async fn a_rename_over_and_a_rewrite_in_place_are_noticed() {
    let folder = folder();
    let path = folder.path().join("tls.crt");
    fs::write(&path, "one").unwrap();
    let mut watch = told(&[&path]);
    replace(&path, "two");
    expect(&mut watch, "a rename").await;
    // The file is another one now, and so is this.
    replace(&path, "three");
    expect(&mut watch, "a second rename").await;
    fs::write(&path, "four").unwrap();
    expect(&mut watch, "a rewrite").await;
    expect_nothing(&mut watch, "the same again").await;
}

/// Kubernetes: the files are links through `..data`, which is swapped.
#[tokio::test]
async fn a_swapped_folder_is_noticed() {
    let folder = folder();
    let root = folder.path();
    for (version, content) in [("..v1", "one"), ("..v2", "two"), ("..v3", "three")] {
        fs::create_dir(root.join(version)).unwrap();
        fs::write(root.join(version).join("tls.crt"), content).unwrap();
    }
    symlink("..v1", root.join("..data")).unwrap();
    symlink("..data/tls.crt", root.join("tls.crt")).unwrap();
    let mut watch = told(&[&root.join("tls.crt")]);
    for version in ["..v2", "..v3"] {
        point(&root.join("..data"), version);
        expect(&mut watch, version).await;
        if version == "..v2" {
            fs::remove_dir_all(root.join("..v1")).unwrap();
        }
    }
    fs::write(root.join("..v3/tls.crt"), "four").unwrap();
    expect(&mut watch, "a rewrite behind both links").await;
}

/// certbot: `live/NAME/cert.pem` is a link into another folder, and is pointed at the next number.
#[tokio::test]
async fn a_swapped_link_is_noticed() {
    let folder = folder();
    let root = folder.path();
    fs::create_dir_all(root.join("archive")).unwrap();
    fs::create_dir_all(root.join("live/name")).unwrap();
    fs::write(root.join("archive/cert1.pem"), "one").unwrap();
    fs::write(root.join("archive/cert2.pem"), "two").unwrap();
    let link = root.join("live/name/cert.pem");
    symlink("../../archive/cert1.pem", &link).unwrap();
    let mut watch = told(&[&link]);
    point(&link, "../../archive/cert2.pem");
    expect(&mut watch, "the link").await;
    fs::write(root.join("archive/cert2.pem"), "three").unwrap();
    expect(&mut watch, "a rewrite behind the link").await;
    // A link to the same content is no change.
    fs::write(root.join("archive/cert3.pem"), "three").unwrap();
    fs::set_permissions(
        root.join("archive/cert3.pem"),
        fs::metadata(&link).unwrap().permissions(),
    )
    .unwrap();
    point(&link, "../../archive/cert3.pem");
    expect_nothing(&mut watch, "the same content").await;
}

#[tokio::test]
async fn a_file_and_its_folder_may_go_and_come_back() {
    let folder = folder();
    let home = folder.path().join("a/b");
    fs::create_dir_all(&home).unwrap();
    let path = home.join("tls.crt");
    fs::write(&path, "one").unwrap();
    let mut watch = told(&[&path]);
    fs::remove_file(&path).unwrap();
    expect(&mut watch, "it is gone").await;
    fs::write(&path, "two").unwrap();
    expect(&mut watch, "it is back").await;
    fs::remove_dir_all(folder.path().join("a")).unwrap();
    expect(&mut watch, "the folder is gone").await;
    // In two steps: the inner folder can only be watched once it is there.
    fs::create_dir_all(&home).unwrap();
    expect_nothing(&mut watch, "an empty folder").await;
    fs::write(&path, "three").unwrap();
    expect(&mut watch, "the folder is back").await;
}

#[tokio::test]
async fn it_is_told_once_and_only_when_the_content_has_changed() {
    let folder = folder();
    let paths = [folder.path().join("tls.crt"), folder.path().join("tls.key")];
    for path in &paths {
        fs::write(path, "one").unwrap();
    }
    let mut watch = told(&[&paths[0], &paths[1]]);
    fs::write(&paths[0], "one").unwrap();
    replace(&paths[1], "one");
    fs::write(folder.path().join("other"), "x").unwrap();
    expect_nothing(&mut watch, "the same content").await;
    fs::write(&paths[0], "two").unwrap();
    fs::write(&paths[1], "two").unwrap();
    expect(&mut watch, "two files").await;
    expect_nothing(&mut watch, "once for both").await;
    // `chmod 600` is what a daemon asks for when others can read a key.
    fs::set_permissions(&paths[1], fs::Permissions::from_mode(0o600)).unwrap();
    expect(&mut watch, "chmod").await;
}

#[tokio::test]
async fn a_file_that_never_rests_is_told_of_anyway() {
    let folder = folder();
    let path = folder.path().join("tls.crt");
    fs::write(&path, "one").unwrap();
    let mut watch = told(&[&path]);
    let writing = async {
        for number in 0.. {
            fs::write(&path, number.to_string()).unwrap();
            tokio::time::sleep(TOLD.quiet / 4).await;
        }
    };
    let noticed: Result<(), _> = timeout(SOON, race(watch.changed(), writing)).await;
    assert!(noticed.is_ok());
}

async fn race(wanted: impl Future<Output = ()>, other: impl Future<Output = ()>) {
    tokio::select! {
        () = wanted => {}
        () = other => {}
    }
}

#[tokio::test]
async fn other_files_can_be_watched_instead() {
    let folder = folder();
    let (old, new) = (folder.path().join("old"), folder.path().join("new"));
    fs::write(&old, "one").unwrap();
    fs::write(&new, "one").unwrap();
    let mut watch = told(&[&old]);
    watch.set_paths([new.clone()]);
    fs::write(&old, "two").unwrap();
    expect_nothing(&mut watch, "a file that is no longer watched").await;
    fs::write(&new, "two").unwrap();
    expect(&mut watch, "the other file").await;
    fs::write(&new, "three").unwrap();
    watch.catch_up().await;
    expect_nothing(&mut watch, "what the caller knows").await;
}

/// File systems of other machines, and a system whose watches are used up.
#[tokio::test]
async fn without_the_kernels_word_it_looks() {
    let folder = folder();
    let path = folder.path().join("tls.crt");
    fs::write(&path, "one").unwrap();
    let mut watch = looking(&path);
    replace(&path, "two");
    expect(&mut watch, "a rename").await;
    fs::write(&path, "three").unwrap();
    expect(&mut watch, "a rewrite").await;
    fs::remove_file(&path).unwrap();
    expect(&mut watch, "it is gone").await;
    expect_nothing(&mut watch, "still gone").await;
    fs::write(&path, "three").unwrap();
    expect(&mut watch, "it is back").await;
}

/// Dropped in the middle, `changed` loses nothing.
#[tokio::test]
async fn what_was_not_told_stays_to_be_told() {
    let folder = folder();
    let path = folder.path().join("tls.crt");
    fs::write(&path, "one").unwrap();
    let mut watch = told(&[&path]);
    fs::write(&path, "two").unwrap();
    let early = timeout(TOLD.quiet / 2, watch.changed()).await;
    assert!(early.is_err(), "before it had settled");
    expect(&mut watch, "the change").await;
}

#[tokio::test]
async fn the_watches_end_with_it() {
    let folder = folder();
    let path = folder.path().join("tls.crt");
    let watch = told(&[&path]);
    let notices = Arc::downgrade(watch.notices.as_ref().unwrap());
    drop(watch);
    assert!(notices.upgrade().is_none());
}

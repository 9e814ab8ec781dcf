use std::{fs, os::unix::fs::symlink};

use tempfile::TempDir;
use tokio::time::{sleep, timeout};

use super::*;
use crate::config::{Consent, Flags, Inputs, IpipMode, Outcome, Reloader, ThisHost, load};

const LONG: Duration = Duration::from_secs(8);

/// A directory with a configuration, and its watch.
struct Scene {
    dir: TempDir,
    watch: Watch<ThisHost>,
}

fn text(mode: &str) -> String {
    format!(
        "[node]\naddress = \"192.0.2.1/24\"\n[[pools]]\ncidr = \"172.16.0.0/16\"\nipip_mode = \"{mode}\"\n"
    )
}

impl Scene {
    async fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("siskin.toml");
        fs::write(&file, text("Always")).unwrap();
        Self { watch: Watch::new(ThisHost, &[file]).await, dir }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn file(&self) -> PathBuf {
        self.path("siskin.toml")
    }

    async fn changes(&mut self) -> bool {
        timeout(LONG, self.watch.changed()).await.is_ok()
    }

    async fn stays(&mut self) -> bool {
        timeout(QUIET * 3, self.watch.changed()).await.is_err()
    }
}

#[tokio::test]
async fn a_write_in_place_is_seen() {
    let mut scene = Scene::new().await;
    fs::write(scene.file(), text("Never")).unwrap();
    assert!(scene.changes().await);
    assert!(scene.stays().await);
}

#[tokio::test]
async fn a_rename_over_the_file_is_seen_each_time() {
    let mut scene = Scene::new().await;
    for mode in ["Never", "CrossSubnet"] {
        fs::write(scene.path(".siskin.toml.swp"), text(mode)).unwrap();
        fs::rename(scene.path(".siskin.toml.swp"), scene.file()).unwrap();
        assert!(scene.changes().await);
    }
}

#[tokio::test]
async fn the_symlink_swap_of_a_kubernetes_config_map_is_seen_each_time() {
    let dir = tempfile::tempdir().unwrap();
    let path = |name: &str| dir.path().join(name);
    let publish = |version: &str, mode: &str| {
        fs::create_dir(path(version)).unwrap();
        fs::write(path(version).join("siskin.toml"), text(mode)).unwrap();
        symlink(version, path("..data_tmp")).unwrap();
        fs::rename(path("..data_tmp"), path("..data")).unwrap();
    };
    publish("..2026_01", "Always");
    symlink("..data/siskin.toml", path("siskin.toml")).unwrap();
    let mut watch = Watch::new(ThisHost, &[path("siskin.toml")]).await;
    for (version, old, mode) in [("..2026_02", "..2026_01", "Never"), ("..2026_03", "..2026_02", "Always")] {
        publish(version, mode);
        fs::remove_dir_all(path(old)).unwrap();
        assert!(timeout(LONG, watch.changed()).await.is_ok(), "{version}");
    }
}

#[tokio::test]
async fn a_half_written_file_is_looked_at_when_it_is_finished() {
    use std::io::Write;
    let mut scene = Scene::new().await;
    let whole = text("Never");
    let (first, second) = whole.split_at(40);
    let path = scene.file();
    let (first, second) = (first.to_owned(), second.to_owned());
    let writer = tokio::spawn(async move {
        let mut file = fs::File::create(path).unwrap();
        file.write_all(first.as_bytes()).unwrap();
        sleep(QUIET / 4).await;
        file.write_all(second.as_bytes()).unwrap();
    });
    assert!(scene.changes().await);
    writer.await.unwrap();
    assert_eq!(fs::read_to_string(scene.file()).unwrap(), whole);
    assert!(scene.stays().await, "the half was not reported by itself");
}

#[tokio::test]
async fn a_file_left_half_written_is_refused_and_taken_when_it_is_whole() {
    let mut scene = Scene::new().await;
    let flags = Flags { node_name: Some("n".into()), ..Flags::default() };
    let inputs = Inputs { file: Some(scene.file()), flags, ..Inputs::default() };
    let mut reloader = Reloader::new(inputs.clone(), load(&inputs, &ThisHost).unwrap().into());

    fs::write(scene.file(), text("Never").trim_end_matches("er\"\n")).unwrap();
    assert!(scene.changes().await);
    assert!(matches!(reloader.reload(&ThisHost, Consent::Needed), Outcome::Refused(_)));
    let mode = |reloader: &Reloader| reloader.loaded().intent.pools.values().next().unwrap().ipip_mode;
    assert_eq!(mode(&reloader), IpipMode::Always);

    fs::write(scene.file(), text("Never")).unwrap();
    assert!(scene.changes().await);
    assert!(matches!(reloader.reload(&ThisHost, Consent::Needed), Outcome::Changed(_)));
    assert_eq!(mode(&reloader), IpipMode::Never);
}

#[tokio::test]
async fn other_files_and_rewrites_of_the_same_content_are_no_change() {
    let mut scene = Scene::new().await;
    fs::write(scene.path("neighbour"), "x").unwrap();
    fs::write(scene.file(), text("Always")).unwrap();
    assert!(scene.stays().await);
}

#[tokio::test]
async fn a_password_file_that_appears_is_seen() {
    let mut scene = Scene::new().await;
    let files = [scene.file(), scene.path("password")];
    scene.watch.set_files(&files).await;
    fs::write(scene.path("password"), "secret").unwrap();
    assert!(scene.changes().await);
    fs::remove_file(scene.path("password")).unwrap();
    assert!(scene.changes().await);
}

#[tokio::test]
async fn without_inotify_the_files_are_polled() {
    let mut scene = Scene::new().await;
    scene.watch.notifier = None;
    scene.watch.complete = false;
    fs::write(scene.file(), text("Never")).unwrap();
    assert!(scene.changes().await);
}

#[tokio::test]
async fn a_caller_that_keeps_dropping_the_wait_misses_nothing() {
    let mut scene = Scene::new().await;
    fs::write(scene.file(), text("Never")).unwrap();
    let impatient = async { while timeout(QUIET / 10, scene.watch.changed()).await.is_err() {} };
    assert!(timeout(LONG, impatient).await.is_ok());
}

/// The working directory of a test process belongs to all its tests, so the file is named from there with dots.
fn relative(path: &Path) -> PathBuf {
    let here = std::env::current_dir().unwrap();
    let up: PathBuf = here.components().skip(1).map(|_| "..").collect();
    up.join(path.strip_prefix("/").unwrap())
}

#[tokio::test]
async fn a_relative_path_is_still_watched_after_a_loop_of_symlinks() {
    let dir = tempfile::tempdir().unwrap();
    let path = |name: &str| dir.path().join(name);
    fs::write(path("real.toml"), text("Always")).unwrap();
    symlink("real.toml", path("siskin.toml")).unwrap();
    let mut watch = Watch::new(ThisHost, &[relative(&path("siskin.toml"))]).await;
    let point_to = |target: &str| {
        symlink(target, path("new")).unwrap();
        fs::rename(path("new"), path("siskin.toml")).unwrap();
    };
    point_to("siskin.toml");
    assert!(timeout(LONG, watch.changed()).await.is_ok(), "the loop is seen");
    point_to("real.toml");
    assert!(timeout(POLL_ONLY / 2, watch.changed()).await.is_ok(), "by an event, not by polling");
}

#[tokio::test]
async fn a_directory_with_two_names_keeps_its_watch_when_one_is_given_up() {
    let dir = tempfile::tempdir().unwrap();
    let path = |name: &str| dir.path().join(name);
    fs::create_dir(path("real")).unwrap();
    fs::write(path("real/siskin.toml"), text("Always")).unwrap();
    symlink("real", path("conf")).unwrap();
    let mut watch = Watch::new(ThisHost, &[path("conf/siskin.toml")]).await;
    fs::remove_file(path("real/siskin.toml")).unwrap();
    assert!(timeout(LONG, watch.changed()).await.is_ok());
    fs::write(path("real/siskin.toml"), text("Never")).unwrap();
    assert!(timeout(POLL_ONLY / 2, watch.changed()).await.is_ok(), "by an event, not by polling");
    fs::create_dir(path("other")).unwrap();
    fs::write(path("other/siskin.toml"), text("Always")).unwrap();
    symlink("other", path("new")).unwrap();
    fs::rename(path("new"), path("conf")).unwrap();
    assert!(timeout(POLL_ONLY / 2, watch.changed()).await.is_ok(), "the directory's own symlink is swapped");
}

#[tokio::test]
async fn a_directory_that_is_made_anew_is_watched_again() {
    let dir = tempfile::tempdir().unwrap();
    let path = |name: &str| dir.path().join(name);
    let make = |mode: &str| {
        fs::create_dir(path("conf")).unwrap();
        fs::write(path("conf/siskin.toml"), text(mode)).unwrap();
    };
    make("Always");
    let mut watch = Watch::new(ThisHost, &[path("conf/siskin.toml")]).await;
    fs::remove_dir_all(path("conf")).unwrap();
    assert!(timeout(LONG, watch.changed()).await.is_ok());
    make("Always");
    assert!(timeout(LONG, watch.changed()).await.is_ok(), "found by polling");
    fs::write(path("conf/siskin.toml"), text("Never")).unwrap();
    assert!(timeout(POLL_ONLY / 2, watch.changed()).await.is_ok(), "by an event again");
}

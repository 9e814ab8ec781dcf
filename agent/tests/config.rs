//! `siskin config check` and the first steps of the README, as somebody types them.

#![allow(missing_docs, clippy::expect_used, clippy::print_stdout, reason = "a test")]

use std::{
    fs,
    io::Write,
    path::Path,
    process::{Command, Output, Stdio},
};

const VALID: &str = "[node]\naddress = \"192.0.2.1/24\"\n[bgp]\nmesh = [\"192.0.2.2\"]\n";

/// `siskin config check` with these arguments and this on standard input, in a directory of its own.
fn check(dir: &Path, line: &str, input: &str, environment: &[(&str, &str)]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_siskin"));
    command.args(["config", "check"]).args(line.split_whitespace()).current_dir(dir);
    command.env_clear().envs(environment.iter().copied());
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().expect("starts");
    let mut stdin = child.stdin.take().expect("piped");
    // A check that reads no standard input may be over by now.
    let _unread = stdin.write_all(input.as_bytes());
    drop(stdin);
    child.wait_with_output().expect("ends")
}

fn out(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr)
}

#[test]
fn a_file_is_named_plainly_by_its_flag_or_read_from_standard_input() {
    let dir = tempfile::tempdir().expect("a directory");
    fs::write(dir.path().join("siskin.toml"), VALID).expect("writes");
    for line in ["siskin.toml", "-c siskin.toml", "--config=siskin.toml", "- ", "-c -"] {
        let output = check(dir.path(), &format!("--offline {line}"), VALID, &[]);
        assert_eq!(output.status.code(), Some(0), "{line}: {}", out(&output));
        assert!(
            out(&output).contains("valid; node offline, AS 64512, 1 mesh nodes"),
            "{line}: {}",
            out(&output)
        );
    }
    for line in ["", "-c siskin.toml siskin.toml", "nowhere.toml"] {
        assert_eq!(check(dir.path(), line, "", &[]).status.code(), Some(2), "{line}");
    }
    let empty = check(dir.path(), "-", "", &[]);
    assert_eq!(empty.status.code(), Some(2));
    assert!(out(&empty).contains("<stdin>:1:1: the file is empty"), "{}", out(&empty));
}

#[test]
fn problems_are_objects_for_programs_and_warnings_fail_only_when_asked() {
    let dir = tempfile::tempdir().expect("a directory");
    let wrong = "[bgp]\nhold_time = 1\nhold_tim = 2\n";
    let output = check(dir.path(), "--offline --json -", wrong, &[]);
    assert_eq!(output.status.code(), Some(2));
    let answer: serde_json::Value = serde_json::from_slice(&output.stdout).expect("JSON");
    assert_eq!(
        answer["problems"][0],
        serde_json::json!({
            "file": "<stdin>", "line": 2, "column": 13, "origin": "<stdin>:2:13", "key": "bgp.hold_time",
            "message": "1 is no hold time", "remedy": "use 0 (never expire) or 3 to 65535 seconds",
        })
    );
    assert_eq!(answer["problems"][1]["key"], "bgp.hold_tim");
    assert_eq!(answer["valid"], false);

    let doubtful = format!("{VALID}[[peers]]\naddress = \"192.0.2.3\"\nasn = 64600\n");
    assert_eq!(check(dir.path(), "--offline -", &doubtful, &[]).status.code(), Some(0));
    let strict = check(dir.path(), "--offline --strict -", &doubtful, &[]);
    assert_eq!(strict.status.code(), Some(2), "{}", out(&strict));
    assert!(out(&strict).contains("RFC 8212"), "{}", out(&strict));
    assert_eq!(check(dir.path(), "--offline --strict -", VALID, &[]).status.code(), Some(0));
    let json = check(dir.path(), "--offline --strict --json -", &doubtful, &[]);
    let answer: serde_json::Value = serde_json::from_slice(&json.stdout).expect("JSON");
    assert_eq!((json.status.code(), &answer["valid"]), (Some(2), &true.into()));
    assert_eq!(answer["warnings"][0]["line"], 6);
}

#[test]
fn an_environment_for_building_c_is_no_configuration() {
    let dir = tempfile::tempdir().expect("a directory");
    let environment = [("AS", "x86_64-linux-gnu-as"), ("IP", "10.0.0.1")];
    let output = check(dir.path(), "--offline -", VALID, &environment);
    assert_eq!(output.status.code(), Some(0), "{}", out(&output));
    assert!(out(&output).contains("note: AS, IP in the environment: ignored"), "{}", out(&output));
    let asked = check(dir.path(), "--offline --calico-env -", VALID, &environment);
    assert!(out(&asked).contains("env AS: node.asn: "), "{}", out(&asked));
}

#[test]
fn what_the_readme_says_to_type_works() {
    if !rustix::process::geteuid().is_root()
        || !Command::new("unshare").args(["-n", "-m", "true"]).status().is_ok_and(|s| s.success())
    {
        println!("SKIPPED: needs root and namespaces");
        return;
    }
    let readme = include_str!("../../README.md");
    let shell = readme.split("```sh\n").skip(1).filter_map(|rest| rest.split("```").next());
    let blocks: Vec<_> = shell.collect();
    let [build, run] = blocks[..] else { panic!("{blocks:?}") };
    assert!(
        build.contains("cargo build --release\ninstall -m 755 target/release/siskin /usr/local/bin/siskin\n")
    );
    let typed = run.replace("siskin run -c siskin.toml\n", "siskin run -c siskin.toml 2>log & daemon=$!\n");
    assert_ne!(typed, run);
    let script = format!(
        "set -e\nmount -t tmpfs none /run\nip link set lo up\n{typed}\
         for i in $(seq 100); do siskin status >/dev/null 2>&1 && break; sleep 0.1; done\n\
         siskin status\nsiskin stop\nwait $daemon\n"
    );
    let dir = tempfile::tempdir().expect("a directory");
    let bin = Path::new(env!("CARGO_BIN_EXE_siskin")).parent().expect("a directory");
    let path = format!("{}:{}", bin.display(), std::env::var("PATH").unwrap_or_default());
    let mut command = Command::new("unshare");
    command.args(["-n", "-m", "bash", "-c", &script]).current_dir(dir.path()).env("PATH", path);
    let output = command.output().expect("runs");
    let log = fs::read_to_string(dir.path().join("log")).unwrap_or_default();
    assert!(output.status.success(), "{}\n{log}", out(&output));
    assert!(out(&output).contains("siskin.toml: valid; "), "{}", out(&output));
    assert!(out(&output).contains("0 of 1 established"), "{}", out(&output));
}

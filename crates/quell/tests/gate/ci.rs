//! The files for pipelines: the options that they use exist, nothing of an event becomes part of a
//! script, and no binary runs but the one that the checksum names.

use crate::Folder;
use serde_json::Value;
use sha2::{Digest as _, Sha256};
use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

const GUIDE: &str = "docs/guides/gate-in-ci.md";
/// What stands for a checksum in the guide.
const CHECKSUM: &str = "0000000000000000000000000000000000000000000000000000000000000000";
/// What people could hand over.
const HOSTILE: [&str; 5] = ["a b", "$(touch made)", "`touch made`", "'; touch made; '", "${HOME}"];

fn repository() -> PathBuf {
    testkit::repository().unwrap().into_std_path_buf()
}

fn text(name: &str) -> String {
    fs::read_to_string(repository().join(name)).unwrap()
}

fn yaml(text: &str) -> Value {
    serde_saphyr::from_str(text).unwrap_or_else(|it| panic!("{it}: {text}"))
}

/// The blocks of a language in the guide.
fn blocks(language: &str) -> Vec<String> {
    let guide = text(GUIDE);
    let begins = format!("```{language}\n");
    let blocks = guide.split(&begins).skip(1);
    blocks.map(|it| it.split("```").next().unwrap().to_owned()).collect()
}

/// Every text in a document, with the name that it has there.
fn texts(name: &str, value: &Value, found: &mut Vec<(String, String)>) {
    match value {
        Value::String(it) => found.push((name.to_owned(), it.clone())),
        Value::Array(items) => items.iter().for_each(|it| texts(name, it, found)),
        Value::Object(members) => members.iter().for_each(|(name, it)| texts(name, it, found)),
        _ => {}
    }
}

/// Every file and example as its texts.
fn documents() -> Vec<Vec<(String, String)>> {
    let files = ["action.yml", ".pre-commit-hooks.yaml"].map(text).to_vec();
    let documents = files.into_iter().chain(blocks("yaml"));
    let of = |it: String| {
        let mut found = Vec::new();
        texts("", &yaml(&it), &mut found);
        found
    };
    documents.map(of).collect()
}

/// The options in a line that calls the gate, or that is handed over to it.
fn options(line: &str) -> Vec<String> {
    let is_ours = line.contains("quell gate ") || line.contains("(gate ");
    let words = line.split_whitespace().filter(|_| is_ours || line.starts_with("--"));
    let names = words.filter_map(|it| it.split('=').next()?.strip_prefix("--"));
    names.filter(|it| !it.is_empty()).map(str::to_owned).collect()
}

#[test]
fn options_in_pipelines_exist() {
    let command = quell::cli::command();
    let gate = command.find_subcommand("gate").unwrap();
    let known: BTreeSet<&str> = gate.get_arguments().filter_map(|it| it.get_long()).collect();
    let documents = documents();
    let texts = documents.iter().flatten().map(|(_, it)| it.clone());
    let console = blocks("console");
    let lines = texts
        .chain(console)
        .flat_map(|it| it.lines().map(|it| it.trim().to_owned()).collect::<Vec<String>>());
    let used: BTreeSet<String> = lines.flat_map(|it| options(&it)).collect();
    assert!(5 <= used.len(), "{used:?}");
    for it in &used {
        assert!(known.contains(it.as_str()), "`quell gate` has no --{it}");
    }
    // What the action says of the formats is so.
    let action = yaml(&text("action.yml"));
    let format = gate.get_arguments().find(|it| it.get_long() == Some("format")).unwrap();
    let formats: BTreeSet<String> =
        format.get_possible_values().iter().map(|it| it.get_name().to_owned()).collect();
    assert!(formats.contains(action["inputs"]["format"]["default"].as_str().unwrap()));
}

#[test]
fn nothing_of_an_event_is_part_of_a_script() {
    let mut scripts = 0;
    for (name, text) in documents().iter().flatten() {
        if ["run", "script", "before_script"].contains(&name.as_str()) {
            scripts += 1;
            assert!(!text.contains("${{"), "{text}");
        }
    }
    assert!(3 <= scripts, "{scripts}");
}

/// Whoever brings a binary names its checksum.
#[test]
fn every_example_names_a_checksum() {
    let mut pinned = 0;
    for block in [blocks("yaml"), blocks("dockerfile")].concat() {
        let brings = ["releases/download", "uses: quell-security/", "rev: v"];
        if brings.iter().any(|it| block.contains(it)) {
            pinned += 1;
            assert!(block.contains(CHECKSUM), "{block}");
        }
    }
    assert_eq!(pinned, 5);
    let action = yaml(&text("action.yml"));
    assert_eq!(action["inputs"]["sha256"]["required"], true, "{action:#}");
}

/// A kept binary of a release: it prints its arguments, one a line.
struct Kept {
    folder: Folder,
    sum: String,
}

impl Kept {
    fn new() -> Kept {
        let folder = Folder::new();
        let program = "#!/bin/sh\nfor it in \"$@\"; do echo \"$it\"; done\n";
        let sum = hex::encode(Sha256::digest(program));
        let path = folder.write(&format!("cache/quell/releases/{sum}/quell"), program);
        fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
        Kept { folder, sum }
    }

    /// Runs a program in the folder, where nothing can be downloaded from.
    fn run(&self, program: &str, arguments: &[&str], environment: &[(&str, &str)]) -> Output {
        let mut command = Command::new(program);
        command.args(arguments).current_dir(self.folder.path(""));
        command.env("XDG_CACHE_HOME", self.folder.path("cache"));
        command.env("QUELL_RELEASES", "https://localhost:1");
        command.envs(environment.iter().copied()).output().unwrap()
    }

    fn quell(&self, version: &str, sum: &str) -> (Option<i32>, String) {
        let script = repository().join("integrations/quell.sh").display().to_string();
        let ran = self.run(&script, &[&[version, sum, "gate"][..], &HOSTILE].concat(), &[]);
        (ran.status.code(), String::from_utf8(ran.stdout).unwrap())
    }
}

#[test]
fn only_the_binary_of_the_checksum_runs() {
    let kept = Kept::new();
    let said = ["gate\n", &HOSTILE.join("\n"), "\n"].concat();
    assert_eq!(kept.quell("0.1.0", &kept.sum), (Some(0), said));
    let capitals = CHECKSUM.replace('0', "A");
    for (version, sum, code) in [
        ("0.1.0", CHECKSUM, 3),
        ("0.1.0", "", 2),
        ("0.1.0", "00", 2),
        ("0.1.0", capitals.as_str(), 2),
        ("../0.1.0", CHECKSUM, 2),
        ("", CHECKSUM, 2),
    ] {
        assert_eq!(kept.quell(version, sum), (Some(code), String::new()), "{version} {sum}");
    }
    let path = format!("cache/quell/releases/{}/quell", kept.sum);
    kept.folder.write(&path, "#!/bin/sh\necho another\n");
    assert_eq!(kept.quell("0.1.0", &kept.sum), (Some(3), String::new()));
}

#[test]
fn the_action_hands_over_what_it_is_given() {
    let kept = Kept::new();
    let action = yaml(&text("action.yml"));
    let script = action["runs"]["steps"][0]["run"].as_str().unwrap();
    let root = repository().display().to_string();
    let (paths, arguments) = (HOSTILE.join("\n"), "--fail-on=high\n\n--unknown=fail\n");
    let run = |output: &str| {
        let environment = [
            ("GITHUB_ACTION_PATH", root.as_str()),
            ("GATE_VERSION", "0.1.0"),
            ("GATE_SHA256", kept.sum.as_str()),
            ("GATE_PATHS", paths.as_str()),
            ("GATE_ARGUMENTS", arguments),
            ("GATE_FORMAT", "sarif"),
            ("GATE_OUTPUT", output),
        ];
        let ran = kept.run("bash", &["-c", script], &environment);
        assert!(ran.status.success(), "{ran:?}");
        String::from_utf8(ran.stdout).unwrap()
    };
    let said = format!("gate\n--format\nsarif\n--fail-on=high\n--unknown=fail\n--\n{paths}\n");
    assert_eq!(run(""), said);
    assert_eq!(run("a report.sarif"), "");
    assert_eq!(fs::read_to_string(kept.folder.path("a report.sarif")).unwrap(), said);
    assert!(!Path::new(&kept.folder.path("made")).exists());
}

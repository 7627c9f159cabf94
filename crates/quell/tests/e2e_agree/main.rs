//! One resource, three looks: what the gate says of its source and of a real plan, and what a scan
//! says of what applying it made. Real Terraform with the real provider, and a fresh ministack for
//! each account block that a case is seen under. Part of `cargo xtask e2e agree`.
//!
//! Every case of every built-in policy is deployed, but for those in [`NOT_HELD`]. The gate and the
//! scan must tell the same of everything that is there, by every policy; and of a case's own
//! resource, its policy must tell what it tells of the case's state.
#![allow(clippy::unwrap_used, clippy::panic, clippy::expect_used, reason = "tests")]
#![allow(clippy::indexing_slicing, clippy::string_slice, reason = "tests")]

mod code;

use code::{ACCOUNT, Block, Declaration};
use quell_core::detect::detect;
use quell_core::policy::Policy;
use quell_core::resource::{State, Trust};
use quell_library::{Library, resource};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::process::Stdio;
use std::time::Instant;
use testkit::{ADMIN_ACCESS_KEY_ID, ADMIN_SECRET_ACCESS_KEY};
use testkit::{Ministack, Quell, REGION, Terraform, e2e_opted_in};

/// Policies on what no infrastructure code is read for.
const NOT_PLANNED: [&str; 1] = ["aws.self.tamper"];

/// The cases that cannot be deployed as they are, and why. One that can be fails the test.
const NOT_HELD: [(&str, &str); 10] = [
    ("aws.cloudtrail.trail_stopped bad_organization_trail", "another account's trail"),
    ("aws.cloudtrail.trail_weakened bad_organization_trail", "another account's trail"),
    ("aws.ec2.admin_port_open bad_prefix_list_holds_the_world", "the list is not in its state"),
    ("aws.ec2.admin_port_open bad_unknown_prefix_list", "what is there is known"),
    (
        "aws.iam.admin_policy_attached bad_unknown_document_is_indeterminate",
        "what is there is known",
    ),
    (
        "aws.iam.admin_policy_created good_unknown_document_is_indeterminate",
        "what is there is known",
    ),
    ("aws.s3.acl_public_grant bad_latent_acls_disabled", "S3 takes no ACL where they are disabled"),
    ("aws.s3.acl_public_grant bad_unknown", "what is there is known"),
    ("aws.s3.bucket_public_block bad_account_unknown", "what is there is known"),
    ("aws.s3.policy_public_statement bad_blocks_unknown", "what is there is known"),
];

/// The source of a deployment, in Terraform's JSON form.
const SOURCE: &str = "main.tf.json";

/// A case of a policy, to be deployed.
struct Case {
    /// Policy and case.
    name: String,
    policy: String,
    /// The resource in reports: see [`Said::resource`].
    resource: String,
    declared: Vec<Declaration>,
    /// Why the policy finds its state at fault.
    reasons: BTreeSet<String>,
}

/// What a report says of a resource.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Said {
    /// Its type, and its id or, where only AWS can give one, its address in Terraform.
    resource: String,
    policy: String,
    verdict: String,
    reason: String,
}

fn main() {
    if !e2e_opted_in("agree") {
        return;
    }
    let started = Instant::now();
    let (worlds, mut not_held) = cases();
    let mut held = BTreeSet::new();
    for (block, cases) in &worlds {
        let said = World::deployed(block, cases).agreed();
        for case in cases {
            let own = said
                .iter()
                .filter(|it| it.resource == case.resource && it.policy == case.policy)
                .map(|it| it.reason.clone());
            let own: BTreeSet<String> = own.collect();
            if own == case.reasons {
                held.insert(case.name.clone());
            } else {
                let why = format!("deployed, it is {own:#?}, not {:#?}", case.reasons);
                not_held.insert(case.name.clone(), why);
            }
        }
        let (elapsed, verdicts) = (started.elapsed().as_secs(), said.len());
        println!(
            "{elapsed:>5} s  {} cases, {verdicts} verdicts: source, plan and scan agree",
            cases.len()
        );
    }
    let named: BTreeSet<&str> = NOT_HELD.iter().map(|(it, _)| *it).collect();
    let found: BTreeSet<&str> = not_held.keys().map(String::as_str).collect();
    assert_eq!(found, named, "{not_held:#?}");
    every_policy_is_held(&held);
    println!("{} cases agree, {} cannot be deployed", held.len(), named.len());
}

/// Every case under the account's block that it is seen under, and why the others are not there.
fn cases() -> (BTreeMap<Block, Vec<Case>>, BTreeMap<String, String>) {
    let library = Library::builtin().unwrap();
    let (mut worlds, mut not_held) = (BTreeMap::<Block, Vec<Case>>::new(), BTreeMap::new());
    let mut labels = (0..).map(|number| format!("c{number:03}"));
    for (policy, folder) in library.policies().iter().zip(library.folders()) {
        let cases = folder.cases.iter().filter(|_| !NOT_PLANNED.contains(&policy.id()));
        for (name, case) in cases {
            let label = labels.next().unwrap();
            let name = format!("{} {name}", policy.id());
            let state = code::at_home(&case.state, &label);
            match code::declared(&state, &label) {
                Ok((declared, block)) => {
                    let reasons = reasons(policy, &state);
                    assert_eq!(!reasons.is_empty(), name.contains(" bad_"), "{name}");
                    let id = match state.resource.kind.as_str() {
                        "AWS::EC2::SecurityGroup" => declared[0].address(),
                        _ => state.resource.id.clone(),
                    };
                    let resource = format!("{} {id}", state.resource.kind);
                    let policy = policy.id().to_owned();
                    let case = Case { name, policy, resource, declared, reasons };
                    worlds.entry(block).or_default().push(case);
                }
                Err(why) => {
                    not_held.insert(name, why);
                }
            }
        }
    }
    (worlds, not_held)
}

/// What a policy finds in a state, in its words.
fn reasons(policy: &Policy, state: &State) -> BTreeSet<String> {
    let kind = resource(&state.resource.kind).unwrap();
    let state = State { facts: kind.facts(state, &Trust::default()), ..state.clone() };
    let detection = detect(&[policy], None, &state);
    assert!(detection.errors.is_empty(), "{:?}", detection.errors);
    detection.findings.into_iter().map(|it| it.reason).collect()
}

/// Of every policy a violation and something sound were deployed.
fn every_policy_is_held(held: &BTreeSet<String>) {
    let library = Library::builtin().unwrap();
    let ids = library.policies().iter().map(|it| it.id());
    for id in ids.filter(|it| !NOT_PLANNED.contains(it)) {
        for sort in ["bad_", "good_"] {
            let begins = format!("{id} {sort}");
            assert!(held.iter().any(|it| it.starts_with(&begins)), "no {begins}…");
        }
    }
}

/// Cases in one account: a folder of source, and what was made of it.
struct World {
    terraform: Terraform,
    ministack: Ministack,
    folder: tempfile::TempDir,
}

impl World {
    /// Plans and applies.
    fn deployed(block: &Block, cases: &[Case]) -> World {
        let world = World {
            terraform: Terraform::find().unwrap(),
            ministack: Ministack::start(false).unwrap(),
            folder: tempfile::tempdir().unwrap(),
        };
        let all = cases.iter().flat_map(|it| &it.declared);
        world.write(SOURCE, &code::source(block, all).to_string());
        world.run(&["init", "-input=false"]);
        world.run(&["plan", "-input=false", "-out=made.tfplan"]);
        world.write("plan.json", &world.run(&["show", "-json", "made.tfplan"]));
        world.run(&["apply", "-input=false", "made.tfplan"]);
        world
    }

    /// What a scan says of the account, which must be what the gate says of the plan and of the
    /// source.
    fn agreed(&self) -> BTreeSet<Said> {
        let groups = self.groups();
        let endpoint = self.ministack.endpoint();
        let aws = json!({ "endpoint_url": endpoint, "accounts": { ACCOUNT: {} } });
        self.write("quell.yaml", &json!({ "aws": aws }).to_string());
        let scan = self.judged(&["scan", "--config", &self.path("quell.yaml")], &groups);
        for file in ["plan.json", SOURCE] {
            let path = self.path(file);
            let gate = ["gate", path.as_str(), "--account", ACCOUNT, "--region", REGION];
            let gate = self.judged(&gate, &groups);
            let only = |these: &BTreeSet<Said>, those: &BTreeSet<Said>| -> Vec<Said> {
                these.difference(those).cloned().collect()
            };
            let differs = (only(&gate, &scan), only(&scan, &gate));
            assert_eq!(differs, (vec![], vec![]), "only the gate of {file}, and only the scan");
        }
        scan
    }

    /// A report of quell, without a violation or with some.
    fn judged(&self, arguments: &[&str], groups: &BTreeMap<String, String>) -> BTreeSet<Said> {
        let quell = Quell::new(env!("CARGO_BIN_EXE_quell")).aws(
            &self.ministack.endpoint(),
            ADMIN_ACCESS_KEY_ID,
            ADMIN_SECRET_ACCESS_KEY,
        );
        let data = self.path("data");
        let more = ["--format", "json", "--data-dir", data.as_str()];
        let ran = quell.run(&[arguments, &more].concat()).unwrap();
        assert!(matches!(ran.code, Some(0 | 1)), "{arguments:?}\n{}\n{}", ran.stdout, ran.stderr);
        let report: Value = serde_json::from_str(&ran.stdout).unwrap();
        assert_eq!(report["problems"], json!([]));
        let text = |it: &Value| it.as_str().unwrap().to_owned();
        let said = |it: &Value| {
            let id = text(&it["resource"]["id"]);
            let id = groups.get(&id).unwrap_or(&id);
            Said {
                resource: format!("{} {id}", text(&it["resource"]["type"])),
                policy: text(&it["policy"]),
                verdict: text(&it["verdict"]),
                reason: text(&it["reason"]),
            }
        };
        report["entries"].as_array().unwrap().iter().map(said).collect()
    }

    /// The addresses of the security groups, by the ids that AWS gave them.
    fn groups(&self) -> BTreeMap<String, String> {
        let state: Value = serde_json::from_str(&self.run(&["show", "-json"])).unwrap();
        let all = state["values"]["root_module"]["resources"].as_array().unwrap().iter();
        let groups = all.filter(|it| it["type"] == "aws_security_group");
        let text = |it: &Value| it.as_str().unwrap().to_owned();
        groups.map(|it| (text(&it["values"]["id"]), text(&it["address"]))).collect()
    }

    /// Runs Terraform, which must succeed; what it printed.
    fn run(&self, arguments: &[&str]) -> String {
        let endpoint = self.ministack.endpoint();
        let folder = camino::Utf8Path::from_path(self.folder.path()).unwrap();
        let mut command = self.terraform.command(folder, Some(&endpoint), arguments);
        // The provider puts the account before S3 Control's host, for which there is no name here.
        command.env("HTTP_PROXY", &endpoint).env_remove("NO_PROXY").env_remove("no_proxy");
        let ran = command.arg("-no-color").stdin(Stdio::null()).output().unwrap();
        let (out, error) =
            (String::from_utf8_lossy(&ran.stdout), String::from_utf8_lossy(&ran.stderr));
        assert!(ran.status.success(), "terraform {arguments:?}\n{out}\n{error}");
        out.into_owned()
    }

    fn path(&self, name: &str) -> String {
        self.folder.path().join(name).to_str().unwrap().to_owned()
    }

    fn write(&self, name: &str, text: &str) {
        fs::write(self.path(name), text).unwrap();
    }
}

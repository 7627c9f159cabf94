//! What ministack cannot express, on moto: the account's public access block, groups, and the many
//! accounts of an organization. moto enforces no IAM, so Quell runs here as the administrator.
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]
#![allow(clippy::indexing_slicing, clippy::string_slice, reason = "tests")]

mod e2e;

use e2e::violations::{ACCOUNT_BLOCK, ATTACHED_GROUP, Place};
use e2e::{Deployed, Keys, MOTO_ACCOUNT, Person, text};
use serde_json::{Value, json};
use testkit::Moto;

#[test]
fn what_only_moto_has_is_healed_and_undone() {
    let deployed = Deployed::plainly(&Moto::shared().unwrap().endpoint(), MOTO_ACCOUNT, "moto");
    let place = Place { account: MOTO_ACCOUNT };
    for kind in [ACCOUNT_BLOCK, ATTACHED_GROUP] {
        let made = (kind.make)(&deployed.admin, &place, kind.name);
        let events = deployed.events(kind.name, [&made.event]);
        deployed.must(&["run", &events]);
        assert_eq!(made.look(&deployed.admin), made.sound, "{}", kind.name);
        deployed.must(&["undo", made.event_id(), "--reason", "it was meant"]);
        assert_eq!(made.look(&deployed.admin), made.violated, "{}", kind.name);
    }
    deployed.must(&["audit", "verify"]);
}

/// Twenty of these fill a page.
const IN_UNIT: usize = 22;

#[test]
fn the_accounts_of_an_organization_are_scanned_and_those_not_in_use_are_told() {
    // A scan sees whole accounts, so this emulator is not shared.
    let moto = Moto::start().unwrap();
    let mut deployed = Deployed::plainly(&moto.endpoint(), MOTO_ACCOUNT, "organization");
    let units = units(&deployed.admin);
    let mut accounts: Vec<String> =
        (0..IN_UNIT).map(|number| account(&deployed.admin, &units, 1, number)).collect();
    let deep = account(&deployed.admin, &units, 2, IN_UNIT);
    account(&deployed.admin, &units, 0, IN_UNIT + 1);
    let closed = accounts.pop().unwrap();
    deployed.admin.call("organizations", "close_account", json!({ "AccountId": closed }));
    let keys = keys_in(&deployed.admin, &deep);
    let s3 = |call: &str| {
        let named = json!({ "Bucket": "organization-bucket" });
        deployed.admin.try_call(Some(&keys), "s3", call, named)
    };
    s3("create_bucket").unwrap();
    s3("delete_public_access_block").unwrap();

    let organization = |unit: &str| {
        json!({
            "units": [unit],
            "read_role": "quell-read",
            "write_role": "quell-write",
            "undo_role": "quell-undo",
        })
    };
    let [_, unit, _] = &units;
    let mut config = deployed.config.clone();
    config["policies"] = json!({ "enabled": ["aws.s3.bucket_public_block"] });
    config["aws"]["accounts"] = json!({});
    config["aws"]["organization"] = organization(unit);
    deployed.configure(|it| *it = config.clone());
    let ran = deployed.run(&["scan", "--format", "json"]);
    assert_eq!(ran.code, Some(1), "{}\n{}", ran.stdout, ran.stderr);
    let report: Value = serde_json::from_str(&ran.stdout).unwrap();
    let scan = &report["scan"];
    // Those of the unit that are in use, and the one of the unit below it; not the root's.
    assert_eq!(scan["steps"], accounts.len() + 1, "{scan:#}");
    assert_eq!(scan["left_out"], json!([format!("account {closed} is SUSPENDED")]));
    let found = &scan["found"][0];
    assert_eq!(
        (&found["resource"]["account"], &found["status"]),
        (&json!(deep), &json!("corrected"))
    );
    let block = deployed.admin.try_call(
        Some(&keys),
        "s3",
        "get_public_access_block",
        json!({ "Bucket": "organization-bucket" }),
    );
    assert_eq!(block.unwrap()["PublicAccessBlockConfiguration"]["BlockPublicAcls"], true);

    deployed.configure(|it| it["aws"]["organization"] = organization("ou-none-00000000"));
    let ran = deployed.run(&["scan"]);
    assert_eq!(ran.code, Some(3), "{}", ran.stdout);
    let told = "organizations:ListAccountsForParent: ParentNotFoundException";
    assert!(ran.stderr.contains(told), "{}", ran.stderr);
}

/// The root of a new organization, a unit of it, and one of that unit.
fn units(admin: &Person) -> [String; 3] {
    let call = |call: &str, arguments: Value| admin.call("organizations", call, arguments);
    call("create_organization", json!({ "FeatureSet": "ALL" }));
    let root = text(&call("list_roots", json!({}))["Roots"][0]["Id"]);
    let below = |parent: &str, name: &str| {
        let wanted = json!({ "ParentId": parent, "Name": name });
        text(&call("create_organizational_unit", wanted)["OrganizationalUnit"]["Id"])
    };
    let unit = below(&root, "workloads");
    let deep = below(&unit, "web");
    [root, unit, deep]
}

/// A new account in one of the units.
fn account(admin: &Person, units: &[String; 3], at: usize, number: usize) -> String {
    let call = |call: &str, arguments: Value| admin.call("organizations", call, arguments);
    let name = format!("member-{number}");
    let wanted = json!({ "AccountName": name, "Email": format!("{name}@example.com") });
    let id = text(&call("create_account", wanted)["CreateAccountStatus"]["AccountId"]);
    if at != 0 {
        let (from, to) = (&units[0], &units[at]);
        let wanted = json!({ "AccountId": id, "SourceParentId": from, "DestinationParentId": to });
        call("move_account", wanted);
    }
    id
}

/// moto lets everybody into every account, by any role.
fn keys_in(admin: &Person, account: &str) -> Keys {
    let role = format!("arn:aws:iam::{account}:role/person");
    let wanted = json!({ "RoleArn": role, "RoleSessionName": "person" });
    let keys = admin.call("sts", "assume_role", wanted)["Credentials"].clone();
    ["AccessKeyId", "SecretAccessKey", "SessionToken"].map(|it| Some(text(&keys[it])))
}

//! What the deployed function heals.

use crate::e2e::MINISTACK_ACCOUNT;
use crate::e2e::violations::{ALL, FIVE_VERSIONS, Kind, Made, OWN_RULE, Place};
use crate::world::{PREFIX, World};
use serde_json::json;

const PLACE: Place = Place { account: MINISTACK_ACCOUNT };

/// Every kind of violation that is healed by itself. A person must approve the fix of one.
pub fn kinds() -> impl Iterator<Item = &'static Kind> {
    ALL.iter().chain([&OWN_RULE]).filter(|it| it.name != FIVE_VERSIONS)
}

/// Violates every policy that ministack can express, and waits until all of it is healed. Each
/// event comes twice, and is worked on once. Returns what is healed.
pub fn everything(world: &World) -> Vec<(&'static Kind, Made)> {
    // The scan put the account's block on, behind which all that buckets do is latent.
    let account = json!({ "AccountId": MINISTACK_ACCOUNT });
    world.admin.call("s3control", "delete_public_access_block", account);
    let made: Vec<(&Kind, Made)> = kinds().map(|it| (it, violate(world, it, "heal"))).collect();
    for (_, it) in &made {
        world.send(&it.event.to_string());
        world.send(&it.event.to_string());
    }
    for (kind, it) in &made {
        world.wait(&format!("{} is healed", kind.name), || it.look(&world.admin) == it.sound);
    }
    world.wait("the queue is empty", || world.length(&format!("{PREFIX}-events")) == 0);
    assert_eq!(world.length(&format!("{PREFIX}-dead-letters")), 0, "{}", world.log(PREFIX));
    let refusals = world.ministack.refusals();
    assert!(refusals.is_empty(), "calls outside the roles: {refusals:#?}");
    made
}

/// Makes a violation, on a resource whose name holds the given one.
pub fn violate(world: &World, kind: &Kind, name: &str) -> Made {
    (kind.make)(&world.admin, &PLACE, &format!("e2e-{name}-{}", kind.name))
}

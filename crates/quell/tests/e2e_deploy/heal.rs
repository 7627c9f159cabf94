//! What the deployed function heals, and what it needs for that.

use crate::e2e::violations::{ALL, FIVE_VERSIONS, Kind, Made, Place};
use crate::e2e::MINISTACK_ACCOUNT;
use crate::world::{PREFIX, World};

const PLACE: Place = Place { account: MINISTACK_ACCOUNT };

/// Violates every policy that ministack can express, and waits until all of it is healed. Each
/// event comes twice, and is worked on once.
pub fn everything(world: &World) {
    // A person must approve the fix of one kind, so it is not healed by itself.
    let kinds = ALL.iter().filter(|it| it.name != FIVE_VERSIONS);
    let made: Vec<(&Kind, Made)> = kinds.map(|it| (it, violate(world, it, "heal"))).collect();
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
}

fn violate(world: &World, kind: &Kind, name: &str) -> Made {
    (kind.make)(&world.admin, &PLACE, &format!("e2e-{name}-{}", kind.name))
}

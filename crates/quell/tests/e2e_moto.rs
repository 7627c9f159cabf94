//! What ministack cannot express, on moto: the account's public access block, and groups. moto
//! enforces no IAM, so Quell runs here as the administrator.
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]
#![allow(clippy::indexing_slicing, clippy::string_slice, reason = "tests")]

mod e2e;

use e2e::violations::{ACCOUNT_BLOCK, ATTACHED_GROUP, Place};
use e2e::{Deployed, MOTO_ACCOUNT};
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

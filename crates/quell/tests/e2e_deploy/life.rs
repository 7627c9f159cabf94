//! What every deployment must do, whichever tool made it. The steps are here once, in their order,
//! and each tool says only how it changes, compares and removes what it made.

use crate::e2e::violations::{Kind, Made};
use crate::world::World;
use crate::{heal, rules, storm, watch};

/// Settings with their values as JSON.
pub type Settings = [(&'static str, &'static str)];
/// The caps as they come, but for a breaker that closes while somebody waits.
const AS_THEY_COME: &Settings = &[("breaker_open_s", "20")];
/// Caps that nothing here comes near, and people who may undo everything.
const RAISED: &Settings =
    &[("breaker_open_s", "20"), ("fleet_changes_max", "10000"), ("undo_iam_grants", "true")];

/// What made the deployment.
pub trait Tool {
    /// Puts these settings of `guardrails` in force, as its user changes them.
    fn set_guardrails(&mut self, world: &World, settings: &Settings);
    /// What the tool finds to be otherwise than it made it.
    fn drift(&self, world: &World) -> Vec<String>;
    /// Takes everything away again.
    fn remove(&mut self, world: &World);
}

/// It holds back in a storm, heals, keeps evidence and tells people. Returns what is healed.
pub fn works(world: &World, tool: &mut dyn Tool) -> Vec<(&'static Kind, Made)> {
    world.allow_quirks();
    tool.set_guardrails(world, AS_THEY_COME);
    storm::falls_back(world);
    world.tell("held back in a storm");
    tool.set_guardrails(world, RAISED);
    storm::is_finished_by_a_scan(world);
    world.tell("finished the storm by a scan");
    rules::match_what_they_must(world);
    let healed = heal::everything(world);
    world.tell("healed every kind of violation");
    watch::heartbeat_is_tried(world);
    watch::ledger_verifies(world);
    watch::checkpoint_verifies(world);
    watch::alarm_arrives(world);
    assert_eq!(tool.drift(world), Vec::<String>::new());
    world.tell("kept evidence, told people, has not drifted");
    healed
}

/// It goes, and nothing is left.
pub fn ends(world: &World, tool: &mut dyn Tool) {
    world.forbid_quirks();
    tool.remove(world);
    assert_eq!(world.left_behind(), Vec::<String>::new());
}

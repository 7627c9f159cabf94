//! `docs/reference/permissions.md`: what each action and each read may call, and nothing more.

use crate::output::table::word;
use quell_core::resource::Permission;
use quell_library::aws::events::heartbeat;
use quell_library::aws::organization;
use std::fmt::Write as _;

/// The page.
pub fn page() -> String {
    let mut page = super::head("Permissions");
    page.push_str(
        "\nA role needs those of the policies that are enabled: `quell iam` prints just them, with \
         ARNs.\nEach write is made under a session policy for this change alone.\n\n## Reading\n",
    );
    let mut kinds: Vec<_> = quell_library::resources().map(|it| it.meta()).collect();
    kinds.sort_by_key(|it| it.cloudformation);
    for kind in kinds {
        let _ = writeln!(page, "\n### `{}`\n", kind.cloudformation);
        if kind.is_proven_by_events() {
            page.push_str("Nothing is called: what an event proves of it is all that is judged.\n");
            continue;
        }
        rows(kind.reads.iter().chain(kind.lists), &mut page);
    }
    page.push_str("\n## Changing\n");
    let mut actions: Vec<_> = quell_library::actions().map(|it| it.meta()).collect();
    actions.sort_by_key(|it| it.name);
    for action in actions {
        let _ = writeln!(
            page,
            "\n### `{}`\n\n{} On `{}`; undo: {}.\n",
            action.name,
            super::cell(action.title),
            action.resource,
            word(&action.reversibility)
        );
        rows(action.permissions, &mut page);
    }
    page.push_str("\n## Heartbeats\n\nA tag on the rule that the configuration names.\n\n");
    rows(&heartbeat::PERMISSIONS, &mut page);
    page.push_str(
        "\n## Organizations\n\nWho asks for the accounts of `aws.organization`, where it is \
         configured; no role in these accounts needs it.\n\n",
    );
    rows(&organization::PERMISSIONS, &mut page);
    page
}

fn rows<'a>(permissions: impl IntoIterator<Item = &'a Permission>, page: &mut String) {
    page.push_str("| for | action | resource | condition |\n|---|---|---|---|\n");
    let mut permissions: Vec<_> = permissions.into_iter().collect();
    permissions.sort_by_key(|it| (it.purpose, it.action, it.resource));
    for it in permissions {
        let condition = it.condition.map_or(String::new(), |(operator, key, value)| {
            format!("`{operator}` `{key}` = `{value}`")
        });
        let (purpose, action, resource) = (word(&it.purpose), it.action, it.resource);
        let _ = writeln!(page, "| {purpose} | `{action}` | `{resource}` | {condition} |");
    }
}

//! What the items are called, and how they are read. `docs/reference/store-dynamodb.md` says it to
//! others.

use aws_sdk_dynamodb::types::AttributeValue;
use jiff::Timestamp;
use quell_core::resource::ResourceRef;
use std::collections::HashMap;

/// An item of either table.
pub(super) type Item = HashMap<String, AttributeValue>;

/// The ledger's partition key: the chain's name.
pub(super) const CHAIN: &str = "chain";
/// The ledger's sort key: the record's number.
pub(super) const SEQUENCE: &str = "sequence";
/// A line of the ledger, without its newline.
pub(super) const LINE: &str = "line";
/// The state's partition key.
pub(super) const PARTITION: &str = "pk";
/// The state's sort key.
pub(super) const SORT: &str = "sk";
/// When DynamoDB may remove the item, in seconds since 1970.
pub(super) const EXPIRES: &str = "expires";
/// Who has a lease, or a chain.
pub(super) const HOLDER: &str = "holder";
/// Until when, in milliseconds since 1970.
pub(super) const UNTIL_MS: &str = "until_ms";
/// The number of a lease; it only grows.
pub(super) const FENCE: &str = "fence";

/// The partition of what holds for the fleet: exemptions, the breaker, budgets.
pub(super) const FLEET: &str = "fleet";
/// The partition of the list of chains; the sort key is a chain's name.
pub(super) const CHAINS: &str = "chains";
/// The sort key of a resource's lease.
pub(super) const LEASE: &str = "lease";
/// The sort key of the mark that an event is done.
pub(super) const DONE: &str = "done";
/// The sort key of the mark that a request was ours.
pub(super) const OURS: &str = "ours";
/// The sort key of the mark that an actor violated.
pub(super) const VIOLATED: &str = "violated";
/// The event by which an actor violated.
pub(super) const EVENT: &str = "violating_event";
/// When that was, in milliseconds since 1970.
pub(super) const TIME_MS: &str = "time_ms";
/// The partition of what scans keep.
pub(super) const SCAN: &str = "scan";
/// The sort key of how far the last scan has come.
pub(super) const PROGRESS: &str = "progress";
/// How far that is.
pub(super) const SCAN_PROGRESS: &str = "scan_progress";
/// What the sort keys of facts begin with.
pub(super) const FACT: &str = "fact#";

/// The partition of a resource.
pub(super) fn resource_partition(resource: &ResourceRef) -> String {
    let ResourceRef { kind, id, account, region } = resource;
    format!("resource#{kind}#{account}#{region}#{id}")
}

/// The partition of an event.
pub(super) fn event_partition(event: &str) -> String {
    format!("event#{event}")
}

/// The partition of an actor.
pub(super) fn actor_partition(actor: &str) -> String {
    format!("actor#{actor}")
}

/// The partition of a request id.
pub(super) fn request_partition(request: &str) -> String {
    format!("request#{request}")
}

/// The sort key of a resource's fact: in the order of turns, then within the turn.
pub(super) fn fact_sort(fence: u64, ordinal: u64) -> String {
    format!("{FACT}{fence:020}#{ordinal:06}")
}

/// A key of the state table.
pub(super) fn key(partition: &str, sort: &str) -> Item {
    HashMap::from([(PARTITION.to_owned(), text(partition)), (SORT.to_owned(), text(sort))])
}

/// A text.
pub(super) fn text(it: &str) -> AttributeValue {
    AttributeValue::S(it.to_owned())
}

/// A number.
pub(super) fn number(it: impl ToString) -> AttributeValue {
    AttributeValue::N(it.to_string())
}

/// Milliseconds since 1970.
pub(super) fn milliseconds(it: Timestamp) -> AttributeValue {
    number(it.as_millisecond())
}

/// The text under a name.
pub(super) fn text_of<'a>(item: &'a Item, name: &str) -> Option<&'a str> {
    item.get(name)?.as_s().ok().map(String::as_str)
}

/// The number under a name.
pub(super) fn number_of<N: std::str::FromStr>(item: &Item, name: &str) -> Option<N> {
    item.get(name)?.as_n().ok()?.parse().ok()
}

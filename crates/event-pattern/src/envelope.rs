//! What EventBridge puts around a `detail`.

/// The fields of an EventBridge event besides `detail`, as small strings. An empty `version` or
/// an empty list is there and empty; a field that is `None` is absent.
///
/// Source: "EventBridge events", *Amazon EventBridge User Guide*.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Envelope<'a> {
    /// `version`, `"0"` so far.
    pub version: Option<&'a str>,
    /// `id`, unique for each event.
    pub id: Option<&'a str>,
    /// `detail-type`: `AWS API Call via CloudTrail`, …
    pub detail_type: Option<&'a str>,
    /// `source`: `aws.s3`, …
    pub source: Option<&'a str>,
    /// `account`, 12 digits.
    pub account: Option<&'a str>,
    /// `time`, RFC 3339.
    pub time: Option<&'a str>,
    /// `region`: `eu-central-1`, …
    pub region: Option<&'a str>,
    /// `resources`, ARNs.
    pub resources: &'a [&'a str],
}

impl<'a> Envelope<'a> {
    /// Every value with its field's name.
    pub(crate) fn values(&self) -> impl Iterator<Item = (&'static str, &'a str)> {
        let single = [
            ("version", self.version),
            ("id", self.id),
            ("detail-type", self.detail_type),
            ("source", self.source),
            ("account", self.account),
            ("time", self.time),
            ("region", self.region),
        ];
        let resources = self.resources.iter().map(|it| ("resources", *it));
        single.into_iter().filter_map(|(name, value)| Some((name, value?))).chain(resources)
    }
}

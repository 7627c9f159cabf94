//! One trace id from event to outcome.
//!
//! A delivery may carry one: in HTTP as `traceparent` (W3C Trace Context) or `X-Amzn-Trace-Id`, in
//! SQS as the attribute `AWSTraceHeader`, in Lambda as the invocation's X-Ray header. Else it is
//! derived from the event's id, so that every process gives the same event the same one. All log
//! lines of the work on an event bear it ([`event_span`]).
//!
//! Deliberately lacking: exporting spans (X-Ray segments, OTLP). In Lambda, the AWS SDK passes the
//! invocation's X-Ray header on with every call.

use quell_core::event::Event;
use sha2::{Digest, Sha256};
use std::fmt;
use std::future::Future;
use tracing::Span;

/// A trace id: 16 bytes, written as 32 lower-case hex digits, as W3C Trace Context does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct TraceId([u8; 16]);

tokio::task_local! {
    static CARRIED: Option<TraceId>;
}

impl TraceId {
    /// The one that an event gets when its delivery carries none.
    pub fn of_event(uid: &str) -> TraceId {
        let digest: [u8; 32] = Sha256::digest(uid.as_bytes()).into();
        let mut id = [0; 16];
        id.iter_mut().zip(digest).for_each(|(to, from)| *to = from);
        TraceId(id)
    }

    /// From X-Ray's header: `Root=1-5759e988-bd862e3fe1be46a994272793;Parent=…;Sampled=1`, where
    /// the two parts of the root are the id's first 8 and last 24 hex digits.
    pub fn from_xray(header: &str) -> Option<TraceId> {
        let root = header.split(';').find_map(|it| it.trim().strip_prefix("Root="))?;
        let (epoch, unique) = root.strip_prefix("1-")?.split_once('-')?;
        if epoch.len() != 8 || unique.len() != 24 {
            return None;
        }
        TraceId::from_hex(&format!("{epoch}{unique}"))
    }

    /// From W3C's header: `00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01`.
    pub fn from_traceparent(header: &str) -> Option<TraceId> {
        let mut parts = header.trim().split('-');
        let version = parts.next().filter(|it| it.len() == 2 && *it != "ff")?;
        let id = TraceId::from_hex(parts.next()?)?;
        let has = |it: Option<&str>, digits: usize| it.is_some_and(|it| it.len() == digits);
        let whole = has(parts.next(), 16) && has(parts.next(), 2);
        // Only later versions may say more.
        (whole && (version != "00" || parts.next().is_none())).then_some(id)
    }

    /// From the headers of a request; the W3C one counts where both are there.
    pub fn from_headers(traceparent: Option<&str>, xray: Option<&str>) -> Option<TraceId> {
        traceparent.and_then(TraceId::from_traceparent).or_else(|| TraceId::from_xray(xray?))
    }

    fn from_hex(digits: &str) -> Option<TraceId> {
        // W3C: lower case only, and all zeros is no id.
        let lower = digits.bytes().all(|it| it.is_ascii_digit() || (b'a'..=b'f').contains(&it));
        let mut id = [0; 16];
        hex::decode_to_slice(digits, &mut id).ok().filter(|()| lower && id != [0; 16])?;
        Some(TraceId(id))
    }
}

impl fmt::Display for TraceId {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&hex::encode(self.0))
    }
}

/// Works on a delivery that carries a trace id, or `None`.
pub async fn carried<T>(id: Option<TraceId>, work: impl Future<Output = T>) -> T {
    CARRIED.scope(id, work).await
}

/// The span of the work on one event: what its log lines bear.
pub fn event_span(event: &Event) -> Span {
    let carried = CARRIED.try_with(|it| *it).ok().flatten();
    let trace_id = carried.unwrap_or_else(|| TraceId::of_event(&event.uid));
    // At the highest level, so that it is there whatever the log's filter lets through.
    tracing::error_span!(
        "event",
        %trace_id,
        event = event.uid,
        operation = event.api.operation,
        account = event.cloud.account,
        region = event.cloud.region,
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_of_x_ray_and_w3c_are_read() {
        let xray = "Self=1-67891234-12456789abcdef012345678;\
                    Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8;Sampled=1";
        let id = TraceId::from_xray(xray).unwrap();
        assert_eq!(id.to_string(), "5759e988bd862e3fe1be46a994272793");
        let w3c = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
        let id = TraceId::from_traceparent(w3c).unwrap();
        assert_eq!(id.to_string(), "4bf92f3577b34da6a3ce929d0e0e4736");
        assert_eq!(TraceId::from_headers(Some(w3c), Some(xray)), Some(id));
        assert_ne!(TraceId::from_headers(Some("nonsense"), Some(xray)), Some(id));
        assert!(TraceId::from_headers(Some("nonsense"), Some(xray)).is_some());
    }

    #[test]
    fn malformed_headers_are_no_ids() {
        for header in [
            "",
            "00",
            "00-00000000000000000000000000000000-00f067aa0ba902b7-01",
            "00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-more",
            "ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e47-00f067aa0ba902b7-01",
        ] {
            assert_eq!(TraceId::from_traceparent(header), None, "{header}");
        }
        for header in ["", "Root=", "Root=1-5759e988", "Root=1-5759e98-8bd862e3fe1be46a994272793"] {
            assert_eq!(TraceId::from_xray(header), None, "{header}");
        }
        let later = "01-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-more";
        assert!(TraceId::from_traceparent(later).is_some());
    }

    #[test]
    fn an_event_has_one_id_of_its_own() {
        assert_eq!(TraceId::of_event("a"), TraceId::of_event("a"));
        assert_ne!(TraceId::of_event("a"), TraceId::of_event("b"));
    }
}

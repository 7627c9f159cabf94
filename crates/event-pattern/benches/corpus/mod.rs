//! Patterns and events to measure with: real ones, multiplied.

use serde_json::{Value, json};

/// Of 100 events so many are drawn from records that match some pattern.
const MATCHING_PERCENT: u64 = 21;

const PATTERNS: usize = 200;

pub struct Corpus {
    pub patterns: Vec<String>,
    /// EventBridge events, one after another as in a file.
    text: String,
    ends: Vec<usize>,
}

impl Corpus {
    pub fn new(events: usize) -> Self {
        let seeds = seeds();
        let patterns = patterns(&seeds);
        let set = event_pattern::PatternSet::build(
            (0..).zip(patterns.iter().map(|it| event_pattern::Pattern::parse(it).expect(it))),
        );
        let mut scratch = event_pattern::Scratch::default();
        let (matching, other): (Vec<_>, Vec<_>) = seeds
            .iter()
            .map(Value::to_string)
            .partition(|it| !set.matches(it.as_bytes(), &mut scratch).expect(it).is_empty());
        let mut dice = Dice(1);
        let (mut text, mut ends) = (String::new(), Vec::new());
        for _ in 0..events {
            let seeds = if dice.roll(100) < MATCHING_PERCENT { &matching } else { &other };
            let seed = &seeds[dice.roll(seeds.len() as u64) as usize];
            text.push_str(&redraw(seed, &mut dice));
            ends.push(text.len());
        }
        Self { patterns, text, ends }
    }

    pub fn len(&self) -> usize {
        self.ends.len()
    }

    pub fn bytes(&self) -> usize {
        self.text.len()
    }

    pub fn events(&self) -> impl Iterator<Item = &[u8]> {
        let starts = std::iter::once(&0).chain(&self.ends);
        starts.zip(&self.ends).map(|(start, end)| &self.text.as_bytes()[*start..*end])
    }

    pub fn description(&self) -> String {
        let (events, bytes) = (self.len(), self.bytes());
        format!("{events} events of {} bytes on average", bytes / events)
    }

    /// The patterns and variations of them.
    pub fn many_patterns(&self, count: usize) -> Vec<String> {
        let vary = |(number, it): (usize, &String)| match number / self.patterns.len() {
            0 => it.clone(),
            round => it.replacen("\"aws.", &format!("\"aws{round}."), 1),
        };
        self.patterns.iter().cycle().take(count).enumerate().map(vary).collect()
    }

    /// The records alone, in CloudTrail log files of some 600 records.
    pub fn log_files(&self) -> Vec<Vec<u8>> {
        let detail = |it: &[u8]| {
            let event: Value = serde_json::from_slice(it).expect("an event");
            event["detail"].to_string()
        };
        let records: Vec<_> = self.events().map(detail).collect();
        let file = |it: &[String]| format!("{{\"Records\":[{}]}}", it.join(",")).into_bytes();
        records.chunks(600).map(file).collect()
    }
}

fn rows(path: &str) -> Vec<Value> {
    let text = testkit::corpus(&format!("{path}.jsonl")).expect("the bench needs its corpus");
    text.lines().map(|it| serde_json::from_str(it).expect("a row is JSON")).collect()
}

/// CloudTrail records as EventBridge sends them.
fn seeds() -> Vec<Value> {
    let sets = [
        "detections/stratus_cloudtrail",
        "detections/panther_aws_cloudtrail_cases",
        "events/aws_samples",
    ];
    let mut seeds = Vec::new();
    for row in sets.into_iter().flat_map(rows) {
        let event = &row["event"];
        let records = event["Records"].as_array().cloned().unwrap_or_else(|| vec![event.clone()]);
        seeds.extend(records.iter().filter_map(wrap));
    }
    assert!(100 < seeds.len(), "there are too few CloudTrail records in the corpora");
    seeds
}

/// None if it is no CloudTrail record.
fn wrap(record: &Value) -> Option<Value> {
    let source = record["eventSource"].as_str()?.split('.').next()?;
    record["eventName"].as_str()?;
    let mut record = record.clone();
    // Panther adds fields of its own.
    record.as_object_mut()?.retain(|key, _| !key.starts_with("p_"));
    Some(json!({
        "version": "0",
        "id": "00000000-0000-4000-8000-000000000000",
        "detail-type": "AWS API Call via CloudTrail",
        "source": format!("aws.{source}"),
        "account": record["recipientAccountId"].as_str().unwrap_or("123456789012"),
        "time": record["eventTime"],
        "region": record["awsRegion"],
        "resources": [],
        "detail": record,
    }))
}

/// Published patterns first, then ones like them for API calls that should be watched.
fn patterns(seeds: &[Value]) -> Vec<String> {
    let published = rows("eventpattern/real_world_patterns");
    let published = published.iter().filter_map(|it| it["pattern"].as_str());
    let mut patterns: Vec<_> = published
        .filter(|it| event_pattern::Pattern::parse(it).is_ok())
        // A few samples of the documentation match most events: nobody watches for that.
        .filter(|it| {
            let pattern = event_pattern::Pattern::parse(it).expect(it);
            let matches = |it: &&Value| pattern.matches(it.to_string().as_bytes()).expect("JSON");
            seeds.iter().filter(matches).count() * 20 < seeds.len()
        })
        .map(str::to_owned)
        .collect();
    let read_only = ["Get", "List", "Describe", "Head", "Lookup"];
    let mut calls: Vec<_> = seeds
        .iter()
        .map(|it| {
            (
                it["detail"]["eventSource"].as_str().unwrap(),
                it["detail"]["eventName"].as_str().unwrap(),
            )
        })
        .filter(|(_, name)| !read_only.iter().any(|it| name.starts_with(it)))
        .collect();
    calls.sort_unstable();
    calls.dedup();
    // Half of the calls are watched, so that the other half does not match.
    let watched: Vec<_> = calls.iter().step_by(2).copied().collect();
    let more =
        watched.iter().cycle().enumerate().map(|(number, call)| like(number, watched.len(), *call));
    patterns.extend(more.take(PATTERNS.saturating_sub(patterns.len())).map(|it| it.to_string()));
    patterns
}

fn like(number: usize, calls: usize, (event_source, name): (&str, &str)) -> Value {
    let source = format!("aws.{}", event_source.split('.').next().unwrap_or_default());
    let detail_type = "AWS API Call via CloudTrail";
    let mut detail = json!({"eventSource": [event_source], "eventName": [name]});
    // Each round over the calls asks more.
    let more = match (number / calls, number % 7) {
        (0, 0..=3) => json!({}),
        (_, 0) => json!({"errorCode": [{"exists": false}]}),
        (_, 1) => json!({"userIdentity": {"type": ["Root", "IAMUser", "AssumedRole"]}}),
        (_, 2) => json!({"userAgent": [{"anything-but": {"prefix": "cloudformation"}}]}),
        (_, 3) => {
            json!({"sourceIPAddress": [{"cidr": "10.0.0.0/8"}, {"wildcard": "*.amazonaws.com"}]})
        }
        (_, 4) => {
            json!({"requestParameters": {"bucketName": [{"prefix": "prod-"}, {"suffix": "-logs"}]}})
        }
        (_, 5) => {
            let attributes = json!({"mfaAuthenticated": ["false"]});
            json!({"userIdentity": {"sessionContext": {"attributes": attributes}}})
        }
        _ => json!({"$or": [{"errorCode": [{"exists": true}]}, {"readOnly": [false]}]}),
    };
    for (key, value) in more.as_object().into_iter().flatten() {
        detail[key] = value.clone();
    }
    json!({"source": [source], "detail-type": [detail_type], "detail": detail})
}

/// Splitmix64: the same events in every run.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut it = self.0;
        it = (it ^ (it >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        it = (it ^ (it >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        (it ^ (it >> 31)) % sides
    }
}

/// The same event with other ids, times and addresses.
fn redraw(event: &str, dice: &mut Dice) -> String {
    let redrawn = event.split('"').map(|part| {
        let groups = part.split('-').map(str::len);
        let octets = part.split('.').map(|it| it.parse().ok()).collect::<Option<Vec<u8>>>();
        match octets.as_deref() {
            Some([first, _, _, _]) => {
                let mut octet = || dice.roll(256);
                format!("{first}.{}.{}.{}", octet(), octet(), octet())
            }
            _ if groups.eq([8, 4, 4, 4, 12]) => draw_digits(part, b"0123456789abcdef", dice),
            _ if part.len() == 20 && part.ends_with('Z') => draw_digits(part, b"0123456789", dice),
            _ => part.to_owned(),
        }
    });
    redrawn.collect::<Vec<_>>().join("\"")
}

fn draw_digits(text: &str, digits: &[u8], dice: &mut Dice) -> String {
    let draw = |it: char| match it {
        '0'..='9' | 'a'..='f' => char::from(digits[dice.roll(digits.len() as u64) as usize]),
        other => other,
    };
    text.chars().map(draw).collect()
}

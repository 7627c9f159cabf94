//! A set's patterns, arranged for matching.

use std::collections::HashMap;

use super::byte_map::ByteMap;
use crate::condition::{Condition, Scalar};
use crate::pattern::{Field, Pattern, ROOT, Trie};

/// Paths that nearly every pattern asks about with plain strings, most telling first: the value
/// there rules out all but a few patterns. The last two are those of patterns for bare CloudTrail
/// records.
const ANCHOR_PATHS: [&str; 6] =
    ["detail.eventName", "detail.eventSource", "detail-type", "source", "eventName", "eventSource"];

/// Everything that does not depend on the event.
#[derive(Debug, Clone)]
pub(crate) struct Plan {
    pub trie: Trie,
    nodes: Vec<Node>,
    detail: usize,
    pub tests: Vec<Test>,
    pub alternatives: Vec<Alternative>,
    pub anchors: Vec<Anchor>,
    /// Alternatives that no anchor leads to: always possible.
    pub unanchored: Vec<u32>,
    /// The patterns' ids.
    pub ids: Vec<u32>,
}

/// A place in events that patterns ask about.
#[derive(Debug, Clone, Default)]
pub(crate) struct Node {
    /// Where an object's keys lead from here.
    pub keys: ByteMap,
    /// Some pattern's path ends here.
    pub is_end: bool,
    /// A container here is noted and entered only when a pattern asks for what is in it.
    pub is_gate: bool,
}

/// One question about one path; patterns that ask the same share it.
#[derive(Debug, Clone)]
pub(crate) struct Test {
    pub node: usize,
    /// The gate on the way to the node, if there is one.
    pub gate: Option<usize>,
    conditions: Box<[Condition]>,
    pub or_absent: bool,
}

impl Test {
    pub fn holds(&self, value: Scalar<'_>) -> bool {
        self.conditions.iter().any(|it| it.holds(value))
    }
}

/// All of these tests together make a pattern match.
#[derive(Debug, Clone)]
pub(crate) struct Alternative {
    /// Index into the ids.
    pub pattern: usize,
    /// Indexes into the tests: those that need the least come first. The anchor's is left out: an
    /// event that leads here has passed it.
    pub cheapest_first: Vec<u32>,
    /// The anchor's node.
    pub anchor: Option<usize>,
    /// The same, in the order of their paths.
    pub by_path: Box<[u32]>,
}

/// A node whose value tells which alternatives are possible.
#[derive(Debug, Clone)]
pub(crate) struct Anchor {
    pub node: usize,
    /// Value → index into `possible`.
    pub values: ByteMap,
    pub possible: Vec<Vec<u32>>,
}

impl Plan {
    pub fn new(patterns: &[(u32, Pattern)]) -> Self {
        let mut trie = Trie::new();
        let detail = trie.reach("detail");
        let mut builder = Builder { trie, ..Builder::default() };
        for (index, (_, pattern)) in patterns.iter().enumerate() {
            for fields in pattern.alternatives() {
                builder.alternative(index, fields);
            }
        }
        let nodes = nodes(&builder.trie, detail);
        for test in &mut builder.tests {
            test.gate = gate(&builder.trie, &nodes, test.node);
        }
        let Builder { trie, tests, alternatives, .. } = builder;
        let mut plan = Self {
            trie,
            nodes,
            detail,
            tests,
            alternatives,
            anchors: Vec::new(),
            unanchored: Vec::new(),
            ids: patterns.iter().map(|(id, _)| *id).collect(),
        };
        plan.sort_tests();
        plan.drop_anchors();
        plan
    }

    /// The node of `detail`.
    pub fn detail(&self) -> usize {
        self.detail
    }

    /// How many nodes there are.
    pub fn nodes(&self) -> usize {
        self.nodes.len()
    }

    #[inline]
    pub fn node(&self, node: usize) -> Option<&Node> {
        self.nodes.get(node)
    }

    pub fn test(&self, test: u32) -> Option<&Test> {
        self.tests.get(test as usize)
    }

    fn sort_tests(&mut self) {
        let Self { tests, alternatives, .. } = self;
        for alternative in alternatives {
            let cost = |it: &u32| {
                let test = tests.get(*it as usize);
                test.map(|it| (it.gate.is_some_and(|gate| gate != it.node), it.conditions.len()))
            };
            alternative.cheapest_first.sort_by_key(cost);
        }
    }

    /// Finds for each alternative the anchor whose values it shares with the fewest others.
    fn drop_anchors(&mut self) {
        let nodes: Vec<_> = ANCHOR_PATHS.iter().filter_map(|it| self.trie.find(it)).collect();
        let mut shared: HashMap<(usize, &str), usize> = HashMap::new();
        for alternative in &self.alternatives {
            for (node, values) in self.anchor_values(alternative, &nodes) {
                for value in values {
                    *shared.entry((node, value)).or_default() += 1;
                }
            }
        }
        let mut possible: HashMap<(usize, &str), Vec<u32>> = HashMap::new();
        let mut unanchored = Vec::new();
        let mut chosen = Vec::new();
        for (alternative, number) in self.alternatives.iter().zip(0..) {
            let crowd = |(node, values): &(usize, Vec<&str>)| {
                let key = |it: &&str| shared.get(&(*node, *it)).copied();
                values.iter().map(key).max()
            };
            let best = self.anchor_values(alternative, &nodes).into_iter().min_by_key(crowd);
            chosen.push(best.as_ref().map(|(node, _)| *node));
            let Some((node, mut values)) = best else {
                unanchored.push(number);
                continue;
            };
            values.sort_unstable();
            values.dedup();
            for value in values {
                possible.entry((node, value)).or_default().push(number);
            }
        }
        let mut anchors = Vec::new();
        for node in nodes {
            let here: Vec<_> = possible.iter().filter(|((it, _), _)| *it == node).collect();
            let texts = here.iter().map(|((_, value), _)| value.as_bytes()).zip(0..);
            let texts: Vec<_> = texts.collect();
            let values = ByteMap::new(&texts);
            let possible: Vec<_> = here.iter().map(|(_, it)| (*it).clone()).collect();
            if !possible.is_empty() {
                anchors.push(Anchor { node, values, possible });
            }
        }
        (self.anchors, self.unanchored) = (anchors, unanchored);
        let Self { tests, alternatives, .. } = self;
        for (alternative, anchor) in alternatives.iter_mut().zip(chosen) {
            let node = |it: &u32| tests.get(*it as usize).map(|it| it.node);
            alternative.cheapest_first.retain(|it| anchor.is_none() || node(it) != anchor);
            alternative.anchor = anchor;
        }
    }

    /// The anchors that an alternative could hang on, most telling first, with the values there.
    fn anchor_values(&self, alternative: &Alternative, nodes: &[usize]) -> Vec<(usize, Vec<&str>)> {
        let of_node = |node: &usize| {
            let mut tests = alternative.by_path.iter().filter_map(|it| self.test(*it));
            let test = tests.find(|it| it.node == *node && !it.or_absent)?;
            Some((*node, test.conditions.iter().map(plain_text).collect::<Option<Vec<_>>>()?))
        };
        nodes.iter().filter_map(of_node).collect()
    }
}

#[derive(Default)]
struct Builder {
    trie: Trie,
    tests: Vec<Test>,
    /// By node and the pattern's text: the same text is the same question.
    known: HashMap<(usize, Box<str>), u32>,
    alternatives: Vec<Alternative>,
}

impl Builder {
    fn alternative<'f>(&mut self, pattern: usize, fields: impl Iterator<Item = &'f Field>) {
        let by_path: Box<[u32]> = fields.filter_map(|it| self.test(it)).collect();
        let cheapest_first = by_path.to_vec();
        self.alternatives.push(Alternative { pattern, cheapest_first, anchor: None, by_path });
    }

    fn test(&mut self, field: &Field) -> Option<u32> {
        let node = self.trie.add(&field.path);
        if let Some(test) = self.known.get(&(node, field.wanted.clone())) {
            return Some(*test);
        }
        let number = u32::try_from(self.tests.len()).ok()?;
        let (conditions, or_absent) = (field.conditions.clone(), field.or_absent);
        self.tests.push(Test { node, gate: None, conditions, or_absent });
        self.known.insert((node, field.wanted.clone()), number);
        Some(number)
    }
}

fn nodes(trie: &Trie, detail: usize) -> Vec<Node> {
    let node = |number: usize| {
        let below = trie.below(number);
        let keys = below
            .iter()
            .filter_map(|(key, child)| Some((key.as_bytes(), u32::try_from(*child).ok()?)));
        let keys: Vec<_> = keys.collect();
        let eager = number == ROOT || number == detail;
        let parent = trie.parent(number);
        Node {
            keys: ByteMap::new(&keys),
            is_end: trie.is_end(number),
            is_gate: !eager && (parent == ROOT || parent == detail),
        }
    };
    (0..trie.len()).map(node).collect()
}

/// The gate that leads to a node, or is it.
fn gate(trie: &Trie, nodes: &[Node], mut node: usize) -> Option<usize> {
    while node != ROOT {
        if nodes.get(node).is_some_and(|it| it.is_gate) {
            return Some(node);
        }
        node = trie.parent(node);
    }
    None
}

fn plain_text(condition: &Condition) -> Option<&str> {
    match condition {
        Condition::Text(text) => Some(text),
        _ => None,
    }
}

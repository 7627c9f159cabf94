//! All paths of a pattern, as a tree of keys.

use std::collections::HashMap;

/// The node that stands for the whole event.
pub(crate) const ROOT: usize = 0;

/// A tree of path steps. A key with dots is as many steps, in patterns and in events alike.
#[derive(Debug, Clone)]
pub(crate) struct Trie {
    nodes: Vec<Node>,
}

#[derive(Debug, Clone)]
struct Node {
    parent: usize,
    depth: usize,
    children: HashMap<Box<str>, usize>,
    is_end: bool,
}

impl Default for Trie {
    fn default() -> Self {
        Self::new()
    }
}

impl Trie {
    pub fn new() -> Self {
        Self {
            nodes: vec![Node { parent: ROOT, depth: 0, children: HashMap::new(), is_end: false }],
        }
    }

    /// Adds a path (keys joined by dots) that somebody asks about; its node.
    pub fn add(&mut self, path: &str) -> usize {
        let at = self.reach(path);
        if let Some(node) = self.nodes.get_mut(at) {
            node.is_end = true;
        }
        at
    }

    /// Makes sure that there is a node at a path.
    pub fn reach(&mut self, path: &str) -> usize {
        let mut at = ROOT;
        for step in path.split('.') {
            at = match self.child(at, step) {
                Some(child) => child,
                None => self.add_child(at, step),
            };
        }
        at
    }

    /// The node at a path.
    pub fn find(&self, path: &str) -> Option<usize> {
        path.split('.').try_fold(ROOT, |at, step| self.child(at, step))
    }

    fn add_child(&mut self, parent: usize, step: &str) -> usize {
        let child = self.nodes.len();
        let mut depth = 0;
        if let Some(node) = self.nodes.get_mut(parent) {
            node.children.insert(step.into(), child);
            depth = node.depth + 1;
        }
        self.nodes.push(Node { parent, depth, children: HashMap::new(), is_end: false });
        child
    }

    /// Where a key of an event leads from a node.
    pub fn descend(&self, node: usize, key: &str) -> Option<usize> {
        if key.contains('.') {
            return key.split('.').try_fold(node, |at, step| self.child(at, step));
        }
        self.child(node, key)
    }

    fn child(&self, node: usize, step: &str) -> Option<usize> {
        self.nodes.get(node)?.children.get(step).copied()
    }

    /// Everything below a node, each with the key of an event that leads there.
    pub fn below(&self, node: usize) -> Vec<(String, usize)> {
        let mut below = Vec::new();
        let mut open = vec![(None::<String>, node)];
        while let Some((path, node)) = open.pop() {
            let children = self.nodes.get(node).map(|it| it.children.iter());
            for (step, child) in children.into_iter().flatten() {
                let key = match &path {
                    Some(path) => format!("{path}.{step}"),
                    None => step.to_string(),
                };
                open.push((Some(key.clone()), *child));
                below.push((key, *child));
            }
        }
        below
    }

    /// The number of nodes; they are numbered from 0.
    pub fn len(&self) -> usize {
        self.nodes.len()
    }

    pub fn parent(&self, node: usize) -> usize {
        self.nodes.get(node).map_or(ROOT, |it| it.parent)
    }

    /// A path of the pattern ends here.
    pub fn is_end(&self, node: usize) -> bool {
        self.nodes.get(node).is_some_and(|it| it.is_end)
    }

    /// `outer` lies on the path to `inner`, or is it.
    pub fn contains(&self, outer: usize, inner: usize) -> bool {
        let depth = self.nodes.get(outer).map_or(0, |it| it.depth);
        let mut at = inner;
        while let Some(node) = self.nodes.get(at).filter(|it| depth < it.depth) {
            at = node.parent;
        }
        at == outer
    }
}

//! All paths of a pattern, as a tree of keys.

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
    children: Vec<(Box<str>, usize)>,
    is_end: bool,
}

impl Trie {
    pub fn new() -> Self {
        Self { nodes: vec![Node { parent: ROOT, depth: 0, children: Vec::new(), is_end: false }] }
    }

    /// Adds a path (keys joined by dots); its node.
    pub fn add(&mut self, path: &str) -> usize {
        let mut at = ROOT;
        for step in path.split('.') {
            at = match self.child(at, step) {
                Some(child) => child,
                None => self.add_child(at, step),
            };
        }
        if let Some(node) = self.nodes.get_mut(at) {
            node.is_end = true;
        }
        at
    }

    fn add_child(&mut self, parent: usize, step: &str) -> usize {
        let child = self.nodes.len();
        let mut depth = 0;
        if let Some(node) = self.nodes.get_mut(parent) {
            node.children.push((step.into(), child));
            depth = node.depth + 1;
        }
        self.nodes.push(Node { parent, depth, children: Vec::new(), is_end: false });
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
        let children = &self.nodes.get(node)?.children;
        children.iter().find(|(it, _)| **it == *step).map(|(_, child)| *child)
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

//! A tree of topic levels (§4.7): values under topic filters, found by topics. No work here grows
//! with the depth of a filter but the unavoidable walk along it; nothing recurses.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};
use std::sync::Arc;

/// The place of a node in [`LevelTree::nodes`].
type NodeId = u32;
/// The number of a level's name.
type LevelId = u32;

/// The node where every path begins. Nothing is its parent, so as a child it means none.
const ROOT: NodeId = 0;
const NONE: NodeId = ROOT;

/// The wildcards as levels; names follow them.
const PLUS: LevelId = 0;
const HASH: LevelId = 1;

/// Values of type `T` under topic filters.
#[derive(Debug)]
pub struct LevelTree<T> {
    nodes: Vec<Node<T>>,
    free: Vec<NodeId>,
    children: HashMap<(NodeId, LevelId), NodeId, BuildHasherDefault<PairHasher>>,
    names: LevelNames,
    /// The memory of [`LevelTree::find`].
    frontier: [Vec<NodeId>; 2],
}

#[derive(Debug)]
struct Node<T> {
    parent: NodeId,
    level: LevelId,
    /// How many nodes are its children.
    children: u32,
    /// The child below `+`.
    plus: NodeId,
    /// The child below `#`.
    hash: NodeId,
    value: Option<Box<T>>,
}

impl<T> Node<T> {
    fn new(parent: NodeId, level: LevelId) -> Self {
        Self { parent, level, children: 0, plus: NONE, hash: NONE, value: None }
    }

    /// The place for the child at this level, if that is a wildcard.
    fn wildcard(&mut self, level: LevelId) -> Option<&mut NodeId> {
        match level {
            PLUS => Some(&mut self.plus),
            HASH => Some(&mut self.hash),
            _ => None,
        }
    }
}

impl<T> Default for LevelTree<T> {
    fn default() -> Self {
        Self {
            nodes: vec![Node::new(NONE, PLUS)],
            free: Vec::new(),
            children: HashMap::default(),
            names: LevelNames::default(),
            frontier: Default::default(),
        }
    }
}

impl<T> LevelTree<T> {
    /// Whether there is no value.
    #[cfg(test)]
    pub fn is_empty(&self) -> bool {
        self.children.is_empty() && self.names.by_name.is_empty()
    }

    /// Whether a filter begins with this level.
    pub fn has_first_level(&self, level: &str) -> bool {
        self.names.find(level).is_some_and(|name| self.children.contains_key(&(ROOT, name)))
    }

    /// The value of a filter, if it has one.
    pub fn get_mut(&mut self, filter: &str) -> Option<&mut T> {
        let node = self.node(filter)?;
        self.nodes[index(node)].value.as_deref_mut()
    }

    /// The value of a filter; it is created if it does not exist.
    pub fn entry(&mut self, filter: &str) -> &mut T
    where
        T: Default,
    {
        let mut node = ROOT;
        for level in filter.split('/') {
            let id = self.names.find(level);
            let known = id.and_then(|id| self.children.get(&(node, id)).copied());
            node = known.unwrap_or_else(|| self.add(node, level));
        }
        self.nodes[index(node)].value.get_or_insert_default()
    }

    /// Removes the value of a filter, and the nodes that are not needed without it.
    pub fn remove(&mut self, filter: &str) {
        let Some(mut id) = self.node(filter) else { return };
        self.nodes[index(id)].value = None;
        while id != ROOT && self.nodes[index(id)].children == 0 {
            let Node { parent, level, value, .. } = &self.nodes[index(id)];
            if value.is_some() {
                break;
            }
            let (parent, level) = (*parent, *level);
            self.children.remove(&(parent, level));
            self.free.push(id);
            self.names.release(level);
            let above = &mut self.nodes[index(parent)];
            above.children -= 1;
            if let Some(wildcard) = above.wildcard(level) {
                *wildcard = NONE;
            }
            id = parent;
        }
        if self.children.is_empty() {
            *self = Self::default();
        }
    }

    /// Calls `visit` with the value of each filter that matches a topic. A leading wildcard does
    /// not match a topic that begins with `$` `[MQTT-4.7.2-1]`.
    pub fn find(&mut self, topic: &str, mut visit: impl FnMut(&mut T)) {
        let [mut here, mut next] = std::mem::take(&mut self.frontier);
        let mut is_hidden = topic.starts_with('$');
        let mut rest = Some(topic);
        here.push(ROOT);
        // All nodes of one depth at once, so that each level of the topic is looked up once.
        while !here.is_empty() {
            let level = rest.map(first_level);
            let name = level.and_then(|(level, _)| self.names.find(level));
            for &id in &here {
                let Node { plus, hash, .. } = self.nodes[index(id)];
                // `a/#` matches `a`, too.
                let ends =
                    [(hash != NONE && !is_hidden).then_some(hash), level.is_none().then_some(id)];
                for end in ends.into_iter().flatten() {
                    if let Some(value) = &mut self.nodes[index(end)].value {
                        visit(value);
                    }
                }
                if level.is_some() {
                    let child = name.and_then(|name| self.children.get(&(id, name)).copied());
                    let wild = (plus != NONE && !is_hidden).then_some(plus);
                    next.extend(child.into_iter().chain(wild));
                }
            }
            here.clear();
            std::mem::swap(&mut here, &mut next);
            rest = level.and_then(|(_, rest)| rest);
            is_hidden = false;
            if level.is_none() {
                break;
            }
        }
        here.clear();
        self.frontier = [here, next];
    }

    /// The node of a filter.
    fn node(&self, filter: &str) -> Option<NodeId> {
        let mut node = ROOT;
        for level in filter.split('/') {
            node = *self.children.get(&(node, self.names.find(level)?))?;
        }
        Some(node)
    }

    /// Adds a node for a level below another node.
    fn add(&mut self, parent: NodeId, level: &str) -> NodeId {
        let level = self.names.take(level);
        let node = Node::new(parent, level);
        let id = if let Some(id) = self.free.pop() {
            self.nodes[index(id)] = node;
            id
        } else {
            self.nodes.push(node);
            number(self.nodes.len() - 1)
        };
        self.children.insert((parent, level), id);
        let above = &mut self.nodes[index(parent)];
        above.children += 1;
        if let Some(wildcard) = above.wildcard(level) {
            *wildcard = id;
        }
        id
    }
}

fn index(id: u32) -> usize {
    id as usize
}

fn number(index: usize) -> u32 {
    u32::try_from(index).expect("memory ends before the numbers do")
}

/// The first level of a topic, and what follows it.
fn first_level(path: &str) -> (&str, Option<&str>) {
    match memchr::memchr(b'/', path.as_bytes()) {
        Some(at) => (&path[..at], Some(&path[at + 1..])),
        None => (path, None),
    }
}

/// The names of all levels, each once.
#[derive(Debug, Default)]
struct LevelNames {
    by_name: HashMap<Arc<str>, LevelId>,
    /// The name with each number, and how many nodes have it.
    used: Vec<Option<(Arc<str>, u32)>>,
    free: Vec<usize>,
}

/// The first number that is not a wildcard's.
const FIRST_NAME: usize = 2;

impl LevelNames {
    /// The number of a name, if any node has it. Only a filter has the names `+` and `#`.
    fn find(&self, name: &str) -> Option<LevelId> {
        match name {
            "+" => Some(PLUS),
            "#" => Some(HASH),
            _ => self.by_name.get(name).copied(),
        }
    }

    /// The number of a name, for one more node.
    fn take(&mut self, name: &str) -> LevelId {
        if let Some(id) = self.find(name) {
            if let Some(Some((_, nodes))) = self.slot(id) {
                *nodes += 1;
            }
            return id;
        }
        let name: Arc<str> = name.into();
        let at = self.free.pop().unwrap_or_else(|| {
            self.used.push(None);
            self.used.len() - 1
        });
        let id = number(at + FIRST_NAME);
        self.used[at] = Some((name.clone(), 1));
        self.by_name.insert(name, id);
        id
    }

    /// One node less has this number.
    fn release(&mut self, id: LevelId) {
        let Some(slot) = self.slot(id) else { return };
        let Some((name, nodes)) = slot else { return };
        *nodes -= 1;
        if *nodes > 0 {
            return;
        }
        let name = name.clone();
        *slot = None;
        self.by_name.remove(&name);
        self.free.push(index(id) - FIRST_NAME);
    }

    fn slot(&mut self, id: LevelId) -> Option<&mut Option<(Arc<str>, u32)>> {
        self.used.get_mut(index(id).checked_sub(FIRST_NAME)?)
    }
}

/// Mixes the two numbers of a child's place. Clients do not choose them.
#[derive(Debug, Default, Clone, Copy)]
struct PairHasher(u64);

impl Hasher for PairHasher {
    fn write_u32(&mut self, value: u32) {
        let mixed = (self.0.rotate_left(32) ^ u64::from(value)).wrapping_mul(0x9E37_79B9_7F4A_7C15);
        // The tables look at the lowest bits, which multiplying mixes least.
        self.0 = mixed ^ (mixed >> 32);
    }

    fn write(&mut self, bytes: &[u8]) {
        for &byte in bytes {
            self.write_u32(byte.into());
        }
    }

    fn finish(&self) -> u64 {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mqtt::topic::{TopicFilter, TopicName};

    fn found(tree: &mut LevelTree<String>, topic: &str) -> Vec<String> {
        let mut found = Vec::new();
        tree.find(topic, |value| found.push(value.clone()));
        found.sort();
        found
    }

    #[test]
    fn it_finds_what_the_filters_match_one_by_one() {
        let seed = 15;
        println!("seed {seed}");
        let mut random = fastrand::Rng::with_seed(seed);
        let levels = ["a", "b", "", "$x"];
        let wild = ["a", "b", "", "$x", "+", "+"];
        let mut pick = |from: &[&str]| {
            let depth = random.usize(1..6);
            let levels: Vec<_> = (0..depth).map(|_| from[random.usize(..from.len())]).collect();
            levels.join("/")
        };
        let mut tree: LevelTree<String> = LevelTree::default();
        let mut filters = Vec::new();
        for number in 0..600 {
            let filter = pick(&wild) + if number % 3 == 0 { "/#" } else { "" };
            if let Ok(filter) = TopicFilter::new(filter) {
                tree.entry(filter.as_str()).clone_from(&filter.as_str().to_owned());
                filters.push(filter);
            }
        }
        while !filters.is_empty() {
            filters.sort();
            filters.dedup();
            for _ in 0..50 {
                let Ok(topic) = TopicName::new(pick(&levels)) else { continue };
                let matching = filters.iter().filter(|filter| filter.matches(&topic));
                let expected: Vec<_> = matching.map(|filter| filter.as_str().to_owned()).collect();
                assert_eq!(found(&mut tree, topic.as_str()), expected, "{topic}");
            }
            for filter in filters.split_off(filters.len() * 2 / 3) {
                tree.remove(filter.as_str());
                assert!(tree.get_mut(filter.as_str()).is_none());
            }
        }
        assert!(tree.is_empty());
    }

    #[test]
    fn the_deepest_topic_and_many_wildcards() {
        let deepest = "a/".repeat(32_767) + "a";
        let mut tree: LevelTree<String> = LevelTree::default();
        tree.entry(&deepest).push('x');
        tree.entry(&"+/".repeat(32_767)).push('y');
        tree.entry(&("+/".repeat(32_766) + "#")).push('z');
        // Every mixture of names and wildcards in the first ten levels.
        for mask in 0..1024 {
            let levels = (0..10).map(|bit| if mask >> bit & 1 == 1 { "+/" } else { "a/" });
            tree.entry(&(levels.collect::<String>() + "#"));
        }
        for _ in 0..20 {
            assert_eq!(found(&mut tree, &deepest).len(), 1026);
        }
        tree.remove(&deepest);
        assert_eq!(found(&mut tree, &deepest).len(), 1025);
    }
}

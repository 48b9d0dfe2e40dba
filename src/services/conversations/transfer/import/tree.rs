//! Trees given as lists of parents, without recursion: a conversation may be as deep as it is long.

/// The nodes with parents before children, else in the order of `sequence`.
///
/// # Errors
/// A node that is its own ancestor.
pub(super) fn ancestors_first(
    parents: &[Option<usize>],
    sequence: impl Iterator<Item = usize>,
) -> Result<Vec<usize>, usize> {
    #[derive(Clone, Copy, PartialEq)]
    enum Mark {
        Unseen,
        Waiting,
        Placed,
    }
    let mut marks = vec![Mark::Unseen; parents.len()];
    let mut order = Vec::with_capacity(parents.len());
    let mut waiting = Vec::new();
    for start in sequence {
        let mut next = Some(start);
        while let Some(node) = next {
            match marks[node] {
                Mark::Placed => break,
                Mark::Waiting => return Err(node),
                Mark::Unseen => {}
            }
            marks[node] = Mark::Waiting;
            waiting.push(node);
            next = parents[node];
        }
        while let Some(node) = waiting.pop() {
            marks[node] = Mark::Placed;
            order.push(node);
        }
    }
    Ok(order)
}

/// Which branch reaches which node first. Claiming all paths takes time in proportion to the tree.
#[derive(Debug)]
pub struct Paths<'a> {
    parents: &'a [Option<usize>],
    owners: Vec<Option<usize>>,
}

impl<'a> Paths<'a> {
    /// `parents` must be free of cycles.
    #[must_use]
    pub fn new(parents: &'a [Option<usize>]) -> Self {
        Self {
            parents,
            owners: vec![None; parents.len()],
        }
    }

    /// Gives a branch the part of its path that no other has yet. Answers where it leaves those before it:
    /// `None` if nothing is shared, `head` itself if nothing is its own.
    pub fn claim(&mut self, head: usize, branch: usize) -> Option<usize> {
        let mut next = Some(head);
        while let Some(node) = next {
            if self.owners[node].is_some() {
                return Some(node);
            }
            self.owners[node] = Some(branch);
            next = self.parents[node];
        }
        None
    }

    /// The branch that claimed a node.
    #[must_use]
    pub fn owner(&self, node: usize) -> Option<usize> {
        self.owners[node]
    }
}

/// Tells in constant time whether a node is on the path to another.
#[derive(Debug)]
pub struct Ancestry {
    /// Numbers of the nodes, such that those of a subtree follow each other, its root first.
    numbers: Vec<usize>,
    /// Nodes of each subtree.
    sizes: Vec<usize>,
}

impl Ancestry {
    /// `parents` must have parents before children.
    #[must_use]
    pub fn new(parents: &[Option<usize>]) -> Self {
        let mut sizes = vec![1; parents.len()];
        for (node, parent) in parents.iter().enumerate().rev() {
            if let Some(parent) = *parent {
                sizes[parent] += sizes[node];
            }
        }
        let mut numbers = Vec::with_capacity(parents.len());
        // The next free number among the roots, and below each node.
        let mut free_root = 0;
        let mut free: Vec<usize> = Vec::with_capacity(parents.len());
        for (node, parent) in parents.iter().enumerate() {
            let slot = match *parent {
                Some(parent) => &mut free[parent],
                None => &mut free_root,
            };
            let number = *slot;
            *slot += sizes[node];
            numbers.push(number);
            free.push(number + 1);
        }
        Self { numbers, sizes }
    }

    /// Whether `node` is on the path from the root to `end`, both included.
    #[must_use]
    pub fn is_on_path(&self, node: usize, end: usize) -> bool {
        let first = self.numbers[node];
        (first..first + self.sizes[node]).contains(&self.numbers[end])
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn puts_parents_first_and_finds_cycles() {
        let order = |parents: &[Option<usize>]| ancestors_first(parents, 0..parents.len());
        assert_eq!(order(&[Some(2), None, Some(1), None]), Ok(vec![1, 2, 0, 3]));
        assert_eq!(order(&[None, Some(0), Some(0)]), Ok(vec![0, 1, 2]));
        assert_eq!(order(&[None, Some(2), Some(1)]), Err(1));
        assert_eq!(order(&[Some(0)]), Err(0));
    }

    #[test]
    fn is_as_deep_as_it_must_be() {
        let chain: Vec<_> = (0..50_000).map(|n| (n + 1 < 50_000).then_some(n + 1)).collect();
        let order = ancestors_first(&chain, 0..chain.len()).expect("a chain");
        assert_eq!((order[0], order[49_999]), (49_999, 0));
    }

    fn trees() -> impl Strategy<Value = Vec<Option<usize>>> {
        prop::collection::vec(any::<prop::sample::Index>(), 1..40).prop_map(|choices| {
            let parent = |(node, choice): (usize, prop::sample::Index)| choice.index(node + 1).checked_sub(1);
            choices.into_iter().enumerate().map(parent).collect()
        })
    }

    proptest! {
        #[test]
        fn knows_ancestors(parents in trees()) {
            let ancestry = Ancestry::new(&parents);
            for end in 0..parents.len() {
                let path: Vec<_> = std::iter::successors(Some(end), |node| parents[*node]).collect();
                for node in 0..parents.len() {
                    prop_assert_eq!(ancestry.is_on_path(node, end), path.contains(&node));
                }
            }
        }

        #[test]
        fn claims_each_node_once(parents in trees()) {
            let mut paths = Paths::new(&parents);
            for head in 0..parents.len() {
                let fork = paths.claim(head, head);
                prop_assert!(fork.is_none_or(|fork| fork <= head));
            }
            prop_assert!((0..parents.len()).all(|node| paths.owner(node).is_some()));
        }
    }
}

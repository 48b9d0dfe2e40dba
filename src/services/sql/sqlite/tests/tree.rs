//! Walks in the tree of messages.

use std::collections::HashMap;

use uuid::Uuid;

use super::super::SqliteRows;
use super::{Fixture, database};
use crate::models::ids::MessageId;
use crate::services::sql::rows::{MessageReads as _, MessageRows as _, Node};

/// Numbers that look random and are the same every time (`SplitMix64`).
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        usize::try_from(mixed >> 33).expect("31 bits") % bound
    }
}

/// The path that ends at a message, the root first, step by step.
fn path(nodes: &HashMap<MessageId, Node>, last: MessageId) -> Vec<MessageId> {
    let mut path: Vec<_> = std::iter::successors(Some(last), |id| nodes[id].parent_id).collect();
    path.reverse();
    path
}

/// Steps from a message to its ancestor at a depth, as the statement takes them.
fn steps(nodes: &HashMap<MessageId, Node>, mut at: MessageId, depth: i64) -> u32 {
    let mut steps = 0;
    while nodes[&at].depth > depth {
        let node = &nodes[&at];
        let next = if node.jump.depth >= depth {
            node.jump.id
        } else {
            node.parent_id
        };
        at = next.expect("an ancestor");
        steps += 1;
    }
    steps
}

#[tokio::test]
async fn pointers_lead_to_the_ancestor_at_any_depth_in_few_steps() {
    const MESSAGES: usize = 600;
    let (mut connection, mut numbers) = (database().await, Numbers(1));
    let mut rows = SqliteRows::new(&mut connection);
    let fixture = Fixture::new(1, 1);
    fixture.insert(&mut rows, &fixture.row(None)).await;
    let mut nodes: HashMap<MessageId, Node> = HashMap::new();
    let mut ids: Vec<MessageId> = Vec::new();
    for number in 1..=MESSAGES {
        // Mostly on from one of the newest, so that the tree grows deep; now and then from anywhere.
        let reach = if numbers.below(20) == 0 {
            ids.len()
        } else {
            ids.len().min(2)
        };
        let parent = (reach > 0).then(|| ids[ids.len() - 1 - numbers.below(reach)]);
        let id = fixture.add(&mut rows, number as u128, parent, "").await;
        let node = rows.node(fixture.conversation, id).await.expect("read");
        nodes.insert(id, node.expect("a message"));
        ids.push(id);
    }
    let mut deepest = 0;
    for &id in &ids {
        let path = path(&nodes, id);
        deepest = deepest.max(path.len());
        assert_eq!(nodes[&id].depth, i64::try_from(path.len()).expect("a depth"));
        let depth = 1 + numbers.below(path.len());
        let found = rows.ancestor_at(id, i64::try_from(depth).expect("a depth")).await;
        assert_eq!(found.expect("read"), Some(path[depth - 1]), "of {id} at {depth}");
        for depth in 1..=path.len() {
            let taken = steps(&nodes, id, i64::try_from(depth).expect("a depth"));
            assert!(taken <= 3 * path.len().ilog2() + 3, "{taken} steps");
        }
    }
    assert!(deepest > 60, "{deepest}");
    assert_eq!(rows.ancestor_at(ids[0], 0).await.expect("read"), None);
    assert_eq!(rows.ancestor_at(ids[0], 2).await.expect("read"), None);
}

#[tokio::test]
async fn ends_of_paths_subtrees_and_roots() {
    let mut connection = database().await;
    let mut rows = SqliteRows::new(&mut connection);
    let (fixture, other) = (Fixture::new(1, 1), Fixture::new(1, 2));
    for fixture in [&fixture, &other] {
        fixture.insert(&mut rows, &fixture.row(None)).await;
    }
    other.add(&mut rows, 90, None, "elsewhere").await;
    let root = fixture.add(&mut rows, 1, None, "one").await;
    let second_root = fixture.add(&mut rows, 2, None, "two").await;
    let left = fixture.add(&mut rows, 3, Some(root), "left").await;
    let right = fixture.add(&mut rows, 4, Some(root), "right").await;
    let leaf = fixture.add(&mut rows, 5, Some(left), "leaf").await;

    let end = rows.path_end(Some(leaf), Some(2)).await.expect("read");
    assert_eq!(
        end.iter().map(|message| message.id).collect::<Vec<_>>(),
        [left, leaf]
    );
    let whole = rows.path_end(Some(leaf), None).await.expect("read");
    assert_eq!(
        whole.iter().map(|message| message.id).collect::<Vec<_>>(),
        [root, left, leaf]
    );
    assert_eq!(
        (&whole[0].children, whole[0].has_branches),
        (&vec![left, right], true)
    );
    assert!(rows.path_end(None, None).await.expect("read").is_empty());

    let roots = rows.children(fixture.conversation, None).await.expect("read");
    assert_eq!(
        roots.iter().map(|message| message.id).collect::<Vec<_>>(),
        [root, second_root]
    );
    let children = rows
        .children(fixture.conversation, Some(root))
        .await
        .expect("read");
    assert_eq!(
        children.iter().map(|message| message.id).collect::<Vec<_>>(),
        [left, right]
    );
    let nobody = MessageId(Uuid::from_u128(99));
    assert!(
        rows.children(fixture.conversation, Some(nobody))
            .await
            .expect("read")
            .is_empty()
    );

    let subtree = rows.subtree(left).await.expect("read");
    assert_eq!(subtree, [left, leaf]);
    let removed = rows.delete_messages(&[leaf, left]).await.expect("removed");
    assert_eq!(removed.messages, 2);
    assert_eq!(rows.edges(fixture.conversation).await.expect("read").len(), 3);
}

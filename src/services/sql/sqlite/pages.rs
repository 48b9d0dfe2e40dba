//! Pages of the file, as far as overwriting their free space needs to know them.
//!
//! See "Database File Format" in the documentation of SQLite, sections 1.6 and 1.8. The file is made with
//! `auto_vacuum`, so that it has a map: pages that tell what the pages after them are.

/// The first page of the map. The one before it is the schema, which holds nothing of users.
pub(super) const FIRST_MAP: i64 = 2;

/// Bytes of the map for each page: its kind, and a number.
pub(super) const MAP_ENTRY: usize = 5;

/// Kinds of pages: the root of a b-tree, and any other of its pages.
const ROOT: u8 = 1;
const NODE: u8 = 5;

/// Kinds of b-trees' pages, as they say of themselves: inner ones have longer headers than leaves.
const INNER: [u8; 2] = [2, 5];
const LEAF: [u8; 2] = [10, 13];

const INNER_HEADER: usize = 12;
const LEAF_HEADER: usize = 8;

/// Bytes of the pointer to a cell.
const POINTER: usize = 2;

/// Whether an entry of the map says that its page belongs to a b-tree.
pub(super) fn is_tree(entry: &[u8]) -> bool {
    matches!(entry.first(), Some(&(ROOT | NODE)))
}

/// Overwrites what is between the pointers of a b-tree's page and its cells. Tells whether there was anything.
pub(super) fn clear_free_space(page: &mut [u8]) -> bool {
    let Some(free) = free_space(page).and_then(|(from, to)| page.get_mut(from..to)) else {
        return false;
    };
    if free.iter().all(|byte| *byte == 0) {
        return false;
    }
    free.fill(0);
    true
}

/// Where the free space begins and ends; `None` for what is no page of a b-tree.
fn free_space(page: &[u8]) -> Option<(usize, usize)> {
    let header = match page.first()? {
        kind if INNER.contains(kind) => INNER_HEADER,
        kind if LEAF.contains(kind) => LEAF_HEADER,
        _ => return None,
    };
    let number = |at: usize| {
        let bytes = page.get(at..at + 2)?;
        Some(usize::from(u16::from_be_bytes([*bytes.first()?, *bytes.last()?])))
    };
    let cells = number(3)?;
    // Zero stands for what two bytes do not hold.
    let content = match number(5)? {
        0 => 1 << 16,
        content => content,
    };
    Some((header + cells * POINTER, content))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A page of 64 bytes with this kind, two cells, and cells from byte 40 on.
    fn page(kind: u8) -> Vec<u8> {
        let mut page = vec![7; 64];
        page[..8].copy_from_slice(&[kind, 0, 0, 0, 2, 0, 40, 0]);
        page
    }

    #[test]
    fn only_what_is_between_pointers_and_cells_is_overwritten() {
        for (kind, from) in [(13, 12), (10, 12), (5, 16), (2, 16)] {
            let (before, mut after) = (page(kind), page(kind));
            assert!(clear_free_space(&mut after));
            assert_eq!(after[..from], before[..from]);
            assert!(after[from..40].iter().all(|byte| *byte == 0));
            assert_eq!(after[40..], before[40..]);
            assert!(!clear_free_space(&mut after), "there is nothing left");
        }
    }

    #[test]
    fn what_is_no_page_of_a_tree_stays() {
        let mut damaged = page(13);
        damaged[5..7].copy_from_slice(&[0, 3]);
        for mut page in [page(0), page(1), damaged, Vec::new(), vec![13, 0, 0]] {
            let before = page.clone();
            assert!(!clear_free_space(&mut page));
            assert_eq!(page, before);
        }
    }
}
